"""Pytest with Chaperon's session in place of `requests.Session`: `python swapped.py LIBRARIES [what pytest takes]`.

LIBRARIES is a folder of packages that is searched after all others.
"""

# first: requests brings ssl, which must be patched before
from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - see above

sys.path.append(sys.argv[1])  # now: requests looks for PySocks when it is imported

import pytest  # noqa: E402
import requests  # noqa: E402
from skips import SKIPS  # noqa: E402

from chaperon.client.http import Http  # noqa: E402
from chaperon.client.service import Service  # noqa: E402
from chaperon.clock import HubClock  # noqa: E402
from chaperon.measure.meter import Meter  # noqa: E402
from chaperon.measure.recorder import Recorder  # noqa: E402


class Anywhere(Service):
    """A service without a base: every URL goes to `requests` as it is, the broken ones too."""

    def locate(self, path):
        return path


class Session(Http):
    """Ours outside of any run: made without arguments, heeding the environment, without a timeout."""

    def __init__(self):
        super().__init__(
            Meter(Recorder("compat", began=0.0), HubClock(), "compat"),
            Anywhere(trust_env=True, timeout=None),
        )


class Skipping:
    """The plugin that skips what stands in the table."""

    def pytest_collection_modifyitems(self, items):
        for item in items:
            reason = SKIPS.get(item.nodeid.partition("::")[2])
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


if __name__ == "__main__":
    sys.modules["swapped"] = sys.modules[__name__]  # where pickle looks for the session
    Session.__module__ = "swapped"
    requests.Session = requests.sessions.Session = Session
    sys.exit(pytest.main(sys.argv[2:], plugins=[Skipping()]))
