"""Whether a run can be trusted: the generator's own faults, by rules."""
