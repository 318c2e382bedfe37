"""What happens to a run when something breaks, counted. `python -m tests.faults` prints a figure for each fault."""
