"""What happened, turned into numbers."""
