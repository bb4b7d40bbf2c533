"""Statistics that compare two runs, or two groups of runs."""
