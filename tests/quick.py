"""The quick suite: tests that start no process and do not compute for long."""

import sys

import pytest

SLOW = {"processes", "long", "faults", "alone", "page", "compat", "examples", "speed"}
"""Markers of tests that are not of the quick suite."""
FIXTURES = {"shells", "process", "started", "chaperon_in"}
"""Fixtures that start processes: a test that uses one needs no marker."""
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}
"""Audit events of the interpreter by which a process is started."""


def mark(item):
    """Give a test the marker `processes` if its fixtures start them, and `quick` if nothing makes it slow.

    Return the names of its markers.
    """
    names = {marker.name for marker in item.iter_markers()}
    if not FIXTURES.isdisjoint(item.fixturenames):
        item.add_marker("processes")
        names.add("processes")
    if SLOW.isdisjoint(names):
        item.add_marker("quick")
        names.add("quick")
    return names


class NoProcesses:
    """Fails a quick test that starts a process."""

    def __init__(self):
        self._unseen = {}
        # there are thousands of events between two of these, so it is no function written in Python that sees them
        sys.addaudithook(self._unseen.pop)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self):
        """Begin with nothing seen."""
        self._unseen.update(dict.fromkeys(STARTS))
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """Fail after the test, whose own code may catch an exception that is raised within it."""
        result = yield
        seen = STARTS - self._unseen.keys()
        if seen and item.get_closest_marker("quick"):
            pytest.fail(f"this test starts a process ({min(seen)}): mark it with pytest.mark.processes")
        return result
