"""Numbers turned into what should happen, then made to happen."""
