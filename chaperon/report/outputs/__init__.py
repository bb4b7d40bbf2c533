"""Outputs of a run: one module an output, and what they get."""
