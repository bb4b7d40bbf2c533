"""Numbers turned into words."""
