"""How the tests are run: with patched sockets, all of them side by side."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from importlib.util import find_spec
from pathlib import Path

import pytest
import quick
from thorough import VARIABLE, examples

HERE = Path(__file__).parent
SIDE_BY_SIDE = 4
"""Processes that the whole suite is dealt to: most of its time it waits."""

# else each of the many processes that are started compiles all of it anew
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# what is started buffers its output as it does for most users
os.environ.pop("PYTHONUNBUFFERED", None)


def pytest_addoption(parser):
    """Add `--thorough`."""
    parser.addoption("--thorough", action="store_true", help="every row of long tables, all examples of laws")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Deal the whole suite to several processes, unless -n says how many; a part of it stays in this one."""
    if hasattr(config, "workerinput"):
        return
    options = config.option
    whole = all(Path(path).is_dir() for path in config.args) and not options.keyword
    looked_at = options.usepdb or options.collectonly or options.capture == "no"
    if getattr(options, "numprocesses", 0) is None and whole and not looked_at:
        options.numprocesses, options.dist = SIDE_BY_SIDE, "worksteal"


def pytest_configure(config):
    """Patch, but not the process that only deals: it waits for others in real threads."""
    if config.option.thorough:
        os.environ[VARIABLE] = "1"
    if not hasattr(config, "workerinput"):  # keys are made there on first use; the others inherit it
        os.environ["XDG_CONFIG_HOME"] = config.own_settings = tempfile.mkdtemp(prefix="chaperon-settings-")
    dealing = config.getoption("dist", "no") != "no" and not config.option.collectonly
    if dealing and not hasattr(config, "workerinput"):
        return
    from gevent import monkey  # before requests, which brings ssl

    monkey.patch_all()
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # inherited by what nohup or a shell starts in the background
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Awake())
        config.pluginmanager.register(Beside())
    config.pluginmanager.register(quick.NoProcesses())
    config.pluginmanager.import_plugin("ground")
    config.pluginmanager.import_plugin("imports")
    from hypothesis import HealthCheck, settings

    # how long an example takes is a matter of the machine
    untimed = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("chaperon", max_examples=examples(), **untimed)
    settings.load_profile("chaperon")


def pytest_unconfigure(config):
    """Remove the folder of settings."""
    shutil.rmtree(getattr(config, "own_settings", ""), ignore_errors=True)


class Awake:
    """Keeps the hub alive between tests: of the next one a thread hears, which the hub knows nothing of."""

    def __init__(self):
        import gevent

        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(lambda: None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self):
        """Let the hub see a standstill during a test."""
        self._watcher.stop()
        try:
            return (yield)
        finally:
            self._watcher.start(lambda: None)


class Beside:
    """Runs a test marked `alone` without any other test in any process."""

    def __init__(self):
        # what is locked are files that are here anyway
        self._door, self._room = (os.open(HERE / file, os.O_RDONLY) for file in ("conftest.py", "ground.py"))
        self._kept = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        """Wait until the test may run."""
        if not self._kept:
            kind = LOCK_EX if alone(item) else LOCK_SH
            flock(self._door, kind)
            if kind == LOCK_SH:  # otherwise no further test could start
                flock(self._door, LOCK_UN)
            flock(self._room, kind)
        try:
            return (yield)
        finally:
            self._kept = alone(item) and nextitem is not None and alone(nextitem)
            if not self._kept:
                flock(self._room, LOCK_UN)
                flock(self._door, LOCK_UN)


def alone(item):
    return item.get_closest_marker("alone") is not None


IN_REAL_TIME = {"faults", "alone", "processes", "examples"}
"""Markers of tests for which the machine may have been too slow when they failed."""


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Keep thousands of tests out of every garbage collection, while they are collected and afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Run first what runs alone, when no other test is waited for yet; repeat what needs real time if it fails."""
    items.sort(key=lambda item: not alone(item))
    is_compiled = find_spec("chaperon.visit__mypyc") is not None
    for item in items:
        names = quick.mark(item)
        if is_compiled and "as_written" in names:
            item.add_marker(pytest.mark.skip("it is about texts, or replaces methods of a class that is compiled here"))
        if not IN_REAL_TIME.isdisjoint(names):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
