"""pytest plugin: the fixture `load` sends a load from a process of its own and returns the report.

Loaded by its entry point. It imports nothing of gevent: the process of the tests stays as it is.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chaperon import exit_codes
from chaperon.measure.quantity import count_text

if TYPE_CHECKING:
    from chaperon.report.report import Report

PROPERTY = "load"
"""The property of a test report, and of the JUnit file, that has the line of the summary."""

GRACE = 20.0
"""Seconds that an interrupted run has to write its outputs."""

EXIT_CODES = (exit_codes.PASS, exit_codes.FAIL, exit_codes.INVALID, exit_codes.ABORTED)
"""Exit codes of a run with a report."""


class LoadFixture:
    """The value of the fixture `load`: each call is one run. *defaults* are the options of the marker `load`."""

    def __init__(self, item: pytest.Item, folder: Path, html: Path | None, defaults: Mapping[str, Any]) -> None:
        self._item = item
        self._folder = folder
        self._html = html
        self._defaults = defaults
        self._runs = 0

    def __call__(
        self,
        target: str,
        *arguments: str,
        limits: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        check: bool = True,
        within: float | None = None,
        **options: Any,
    ) -> Report:
        """Run `chaperon local TARGET` in a process of its own, blocking, and return its report.

        *target* is FILE[:NAME], looked for beside the test, then below the root of the tests. *options* are those of
        the command by their names: url="…", users=10, rate=50, hold="10s", trust=["late=100ms"], insecure=True;
        *arguments* are added as they are. *config* and *headers* do not appear in the list of processes. The test
        fails where the verdict is not PASS, with *check* False only where there is no report. A run that takes longer
        than *within* seconds is interrupted. One load runs at a time on this machine.
        """
        self._runs += 1
        run_file = self._folder / f"run-{self._runs}.chap"
        given = {**self._defaults, **options}
        words = [self._located(target), *arguments, "--quiet", "--run-file", str(run_file)]
        page = None
        if self._html is not None:
            self._html.parent.mkdir(parents=True, exist_ok=True)  # pytest makes it at the end
            page = self._html.with_name(f"{self._html.stem}-{self._runs}.html")
            words += ["--html", str(page)]
        for limit in (*self._defaults.get("limits", ()), *limits):
            words += ["--limit", limit]
        for name, value in given.items():
            if name != "limits":
                words += _option(name, value)
        with _alone():
            code, said = self._run(words, _variables(config or {}, headers or {}), within)
        if code not in EXIT_CODES or not run_file.exists():
            pytest.fail(f"{target}: chaperon ended with exit code {code}: {said}", pytrace=False)
        from chaperon.report.run_file.run_file import read_run

        report = read_run(run_file).runs[-1].report()
        self._item.user_properties.append((PROPERTY, summary_line(report)))
        if page is not None and page.exists():
            self._item.user_properties.append(("load page", str(page)))
        if check and code != 0:
            reasons = "\n".join(f"  {each}" for each in report.reasons) or f"  {said}"
            pytest.fail(f"{target}: {report.verdict.name}\n{reasons}", pytrace=False)
        return report

    def _located(self, target: str) -> str:
        """Return *target* with the path of its file beside the test, if it is there."""
        file, colon, name = target.rpartition(":") if ".py:" in target else (target, "", "")
        beside = self._item.path.parent / file
        return f"{beside}{colon}{name}" if beside.exists() else target

    def _run(self, words: Sequence[str], variables: Mapping[str, str], within: float | None) -> tuple[int, str]:
        """Run the command; return its exit code and what it printed on standard error."""
        command = [sys.executable, "-m", "chaperon", "local", *words]
        process = subprocess.Popen(
            command,
            cwd=self._item.config.rootpath,
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        try:
            _, said = process.communicate(timeout=within)
        except BaseException as exc:  # a timeout, or Ctrl-C: the run writes what it has
            process.send_signal(signal.SIGINT)
            try:
                _, said = process.communicate(timeout=GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                _, said = process.communicate()
            if not isinstance(exc, subprocess.TimeoutExpired):
                raise
        return process.returncode, " ".join(said.split())[-2000:]


def summary_line(report: Report) -> str:
    """Return one line about a run: verdict, requests, errors, p95."""
    total = report.requests
    p95 = "?" if total.p95 is None else f"{total.p95 * 1000:.3g} ms"
    counted = f"{count_text(total.count, 'request')} in {report.duration:.1f} s, {count_text(total.errors, 'error')}"
    return f"{report.headline}, {counted}, p95 {p95}"


@pytest.fixture
def load(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadFixture:
    """Send a load from a process of its own: `report = load("shop.py", url=…, rate=50, hold="10s")`."""
    junit = request.config.getoption("xmlpath", None)
    label = re.sub(r"[^\w.-]+", "-", request.node.nodeid).strip("-")[-100:]
    html = Path(junit).absolute().parent / f"{label}.html" if junit else None
    defaults: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("load"))):
        defaults |= marker.kwargs
    return LoadFixture(request.node, tmp_path_factory.mktemp("load"), html, defaults)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    text = "load(**options): options of the fixture load; set on every test that uses it"
    config.addinivalue_line("markers", text)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that send load, so that `-m 'not load'` leaves them out; with xdist they are one group."""
    for item in items:
        if getattr(item, "_fixtureinfo", None) is not None and _is_load(item):
            item.add_marker("load")
            if config.pluginmanager.hasplugin("xdist"):
                item.add_marker(pytest.mark.xdist_group("chaperon"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line for each run."""
    lines = [
        f"{report.nodeid}: {value}"
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in getattr(report, "user_properties", ())
        if name == PROPERTY
    ]
    if lines:
        terminalreporter.section("load")
        for line in lines:
            terminalreporter.write_line(line)


def _is_load(item: Any) -> bool:
    found = item._fixtureinfo.name2fixturedefs.get("load")
    return bool(found) and found[-1].func is getattr(load, "__wrapped__", getattr(load, "_fixture_function", load))


def _option(name: str, value: Any) -> list[str]:
    """Return the words of one option: none for None and False, the flag alone for True, one each for a list."""
    flag = f"--{name.replace('_', '-')}"
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    values = value if isinstance(value, (list, tuple)) else [value]
    return [word for each in values for word in (flag, str(each))]


def _variables(config: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables for settings and headers, several values by line."""
    import json

    made = {}
    if config:
        made["CHAPERON_SET"] = "\n".join(f"{key}={json.dumps(value)}" for key, value in config.items())
    if headers:
        made["CHAPERON_HEADER"] = "\n".join(f"{name}: {value}" for name, value in headers.items())
    return made


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other load of this user runs on this machine: two would falsify each other's figures."""
    with open(Path(tempfile.gettempdir(), f"chaperon-load-{os.getuid()}.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
