"""Secrets of a run: the values no output may show, and references to values kept elsewhere."""
