"""The command line: one file a command."""

from chaperon.cli.main import main

__all__ = ["main"]
