"""Limits: parsed from text, evaluated over a whole run or over a sliding window."""
