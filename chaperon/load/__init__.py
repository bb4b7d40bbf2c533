"""Load arithmetic (how much, when, whose share) and the engine that performs it."""
