"""What the author of a scenario types."""
