"""Limits: parsed, judged over the run and over a sliding window."""
