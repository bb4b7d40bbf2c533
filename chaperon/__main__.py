"""The door: patches first, then hands over to the command line."""

import sys

from chaperon._version import version_text

if sys.argv[1:] == ["--version"]:  # it needs none of the imports that follow
    print(version_text())
    sys.exit()

import os
import signal

if sys.argv[1:2] != ["engine"]:  # which its supervisor ends
    # while modules are imported there is nothing to be cleaned up
    said: dict[int, bytes] = {
        signal.SIGINT: b"chaperon: ended by Ctrl-C\n",
        signal.SIGTERM: b"chaperon: ended by SIGTERM\n",
    }
    for each in said:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, lambda number, _: (os.write(2, said[number]), os._exit(130))[0])  # ABORTED

from importlib import metadata

from chaperon import exit_codes
from chaperon.descriptors import LEAST, enough
from chaperon.errors import UsageError
from chaperon.gc_tuning import pause_gc

pause_gc()  # until the module of the command is imported

try:
    enough(LEAST, "any command")
except UsageError as exc:  # the hub of gevent would abort
    print(f"chaperon: {exc}", file=sys.stderr)
    sys.exit(exit_codes.USAGE)

from gevent import monkey  # noqa: E402 - late: as above it says why it may abort

_look_up = metadata.entry_points
_has_plug_ins = any("gevent.plugins" in (each.read_text("entry_points.txt") or "") for each in metadata.distributions())
_found = _look_up() if _has_plug_ins else metadata.EntryPoints()  # few have some, and to parse all texts takes longer
try:  # `patch_all` looks up plug-ins 25 times, and each time the folders of all installed packages are read
    metadata.entry_points = lambda *, group: _found.select(group=group)  # type: ignore[assignment]  # called only so
    monkey.patch_all()
finally:
    metadata.entry_points = _look_up

from chaperon.cli import main  # noqa: E402 - late: it brings requests, which brings ssl

if __name__ == "__main__":
    main()
