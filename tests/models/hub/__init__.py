"""Models of the Hub, with the real client against a Hub on this machine."""
