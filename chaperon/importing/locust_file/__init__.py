"""Locustfiles: read by `ast`, rewritten as the text of a scenario module."""
