"""Base models: what there is (catalog), bringing it here (fetch), what it takes (memory), loading it, and whose turn it is."""
