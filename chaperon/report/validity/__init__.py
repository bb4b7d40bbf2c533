"""Validity of a run: rules for the faults of the generator itself."""
