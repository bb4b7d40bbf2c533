"""How precisely the percentiles of a stream are known."""
