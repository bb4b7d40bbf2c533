"""The messages between master and workers, and their bytes."""
