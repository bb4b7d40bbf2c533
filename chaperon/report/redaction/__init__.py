"""Redaction of secrets in all text that is shown or written."""
