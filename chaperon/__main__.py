"""The door: patches first, then hands over to the command line."""

import sys

from chaperon._version import version_text

if sys.argv[1:] == ["--version"]:  # it needs none of the imports that follow
    print(version_text())
    sys.exit()

from chaperon.descriptors import LEAST, enough
from chaperon.errors import UsageError

try:
    enough(LEAST, "any command")
except UsageError as exc:  # the hub of gevent would abort
    print(f"chaperon: {exc}", file=sys.stderr)
    sys.exit(2)

from gevent import monkey

monkey.patch_all()

from chaperon.cli import main  # noqa: E402 - late: it brings requests, which brings ssl

if __name__ == "__main__":
    main()
