"""Samples to numbers: sketches, series, windows, the recorder."""
