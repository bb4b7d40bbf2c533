"""The header of a run file: what is known of a run before its load begins."""

from __future__ import annotations

import hashlib
import inspect
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from chaperon._version import VERSION
from chaperon.execution.plan import RunPlan
from chaperon.report.run_file.records import SCHEMA, RunHeader

PACKAGES = ("gevent", "requests", "websockets", "pyzmq", "fastdigest")


def run_header(plan: RunPlan, *, began: float, started: str, time: float) -> RunHeader:
    """Return the header of a run that began at *began*, a reading of its clock in seconds, on *started* (ISO 8601).

    *time* is the same moment on the wall clock, in seconds since 1970.
    """
    return RunHeader(
        schema=SCHEMA,
        started=started,
        time=time,
        began=began,
        environment=plan.name,
        seed=plan.seed,
        loads=tuple((entry.label, str(entry.load)) for entry in plan.entries),
        limits=tuple(limit.text for limit in plan.limits),
        rules=asdict(plan.rules),
        brake=plan.brake,
        strict=plan.strict,
        independent=any(limit.independent for limit in plan.limits),
        versions=_versions(),
        host=platform.node(),
        scenario=scenario_hash(plan),
        target=plan.target,
    )


def scenario_hash(plan: RunPlan) -> str:
    """Return the SHA-256, in hexadecimal, of the source files of all steps; "" if no file can be read."""
    files: set[str] = set()
    for entry in plan.entries:
        for part in entry.split_mix():
            for step in part.scenario.steps:
                code = getattr(inspect.unwrap(step), "__code__", None)
                if code is not None:
                    files.add(code.co_filename)
    whole, found = hashlib.sha256(), False
    for name in sorted(files):
        try:
            whole.update(Path(name).read_bytes())
            found = True
        except OSError:
            continue
    return whole.hexdigest() if found else ""


def _versions() -> dict[str, str]:
    found = {"chaperon": VERSION, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
