"""What parses files in a child process: `__main__` is its start, and each module beside it has a family of kinds."""
