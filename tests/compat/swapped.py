"""Pytest with Chaperon's session in place of that of `requests`: `swapped.py LIBRARIES WAY [what pytest takes]`.

LIBRARIES is a folder of packages that is searched after all others. WAY is the transport, or "short": the wire for
sessions that do not heed the environment, as those of scenarios do not, which lets them compose requests themselves.
"""

# first: requests brings ssl, which must be patched before
from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - see above

libraries, way, *options = sys.argv[1:]
sys.path.append(libraries)  # now: requests looks for PySocks when it is imported

import pytest  # noqa: E402
import requests  # noqa: E402
from skips import SKIPS  # noqa: E402

from chaperon.client.http.measured import MeasuredSession  # noqa: E402
from chaperon.client.service import Service  # noqa: E402
from chaperon.clock import HubClock  # noqa: E402
from chaperon.measure.meter import Meter  # noqa: E402
from chaperon.measure.recorder import Recorder  # noqa: E402


class Anywhere(Service):
    """A service without a base: every URL goes to `requests` as it is, the broken ones too."""

    def locate(self, path):
        return path


class Session(MeasuredSession):
    """Ours outside of any run: made without arguments, without a timeout."""

    def __init__(self):
        super().__init__(
            Meter(Recorder("compat", began=0.0), HubClock(), "compat"),
            Anywhere(trust_env=way != "short", timeout=None, transport="urllib3" if way == "urllib3" else "wire"),
        )


class Skipping:
    """The plugin that skips what stands in the table."""

    def pytest_collection_modifyitems(self, items):
        for item in items:
            reason = SKIPS[way].get(item.nodeid.partition("::")[2])
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


if __name__ == "__main__":
    sys.modules["swapped"] = sys.modules[__name__]  # where pickle looks for the session
    Session.__module__ = "swapped"
    requests.Session = requests.sessions.Session = Session
    sys.exit(pytest.main(options, plugins=[Skipping()]))
