"""Failing requests with their responses: as text, and as files in a folder."""
