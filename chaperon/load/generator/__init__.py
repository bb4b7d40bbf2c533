"""The generator's monitoring of itself: CPU, lateness, stalls, garbage collection."""
