"""The exit codes by which an engine process tells its supervisor how it ended. Any other code is a death."""

from __future__ import annotations

from chaperon import exit_codes

OVER, REFUSED, LEFT, ORPHANED, UNABLE, GIVEN_UP = 71, 72, 73, 75, 76, 77
"""Its run is over; the master refused it; it was stopped by a signal; the master did not answer; it could not load the
scenario; the master had given it up, and the run goes on without it. None is an exit code of a command, since a
scenario may end its process with one of those: `os._exit(0)` is a death as well."""

COMMAND_CODES = {
    OVER: exit_codes.PASS,
    REFUSED: exit_codes.CLUSTER,
    LEFT: exit_codes.ABORTED,
    ORPHANED: exit_codes.CLUSTER,
    UNABLE: exit_codes.NOT_LOADED,
    GIVEN_UP: exit_codes.CLUSTER,
}
"""The exit codes of `chaperon worker` after them."""
