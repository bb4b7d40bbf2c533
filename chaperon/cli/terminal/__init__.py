"""What a terminal shows: standard streams, the live line, errors of greenlets."""
