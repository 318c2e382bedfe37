"""Named findings about rows, each with remedies. One module a check; `about` has the signature they share."""
