"""The exit codes of commands. docs/options.md has the same table."""

from __future__ import annotations

PASS = 0
FAULT = 1
"""An output could not be written, or an error in Chaperon."""
USAGE = 2
NOT_LOADED = 3
"""The scenario file or its environment cannot be loaded."""
FAIL = 4
INVALID = 5
CLUSTER = 6
"""The workers did not come, or the master could not be reached or refused this worker."""
ABORTED = 130
