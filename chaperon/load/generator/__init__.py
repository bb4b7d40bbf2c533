"""What a generator observes of itself: CPU, lateness, stalls, garbage collection."""
