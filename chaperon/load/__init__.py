"""Load: the arithmetic of due times and shares, and the engine that performs it."""
