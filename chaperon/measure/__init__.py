"""Measurement: the recorder, its samples, and their aggregation into sketches, series and windows."""
