"""What it costs to start: CPU seconds, as ratios to the import of gevent and requests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

_FIRST = """
import time
from chaperon import step

@step
def first(session):
    print(time.process_time(), flush=True)
    session.get("/")
"""
_IMPORT = "import time; began = time.process_time(); import chaperon; print(time.process_time() - began)"
NOWHERE = "http://127.0.0.1:1"


def start(rounds: int = 7) -> str:
    """Return the median CPU seconds of some *rounds* in turn, each beside those of importing gevent and requests.

    All find bytecode that is kept, as an install has it; a round that is not counted writes it. They run in a folder
    without settings.
    """
    seen: dict[str, list[float]] = {"base": [], "version": [], "first": [], "import": []}
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as name:
        file = Path(name) / "first.py"
        file.write_text(_FIRST)
        chaperon = [sys.executable, "-m", "chaperon"]
        local = [*chaperon, "local", str(file), "--url", NOWHERE, "--quiet"]
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": f"{name}/bytecode", "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(1 + rounds):
            seen["base"].append(_cpu([sys.executable, "-c", "import gevent, requests"], name, environment))
            seen["version"].append(_cpu([*chaperon, "--version"], name, environment))
            seen["first"].append(_printed(local, name, environment))
            seen["import"].append(_printed([sys.executable, "-c", _IMPORT], name, environment))
    figures = {what: median(values[1:]) for what, values in seen.items()}
    base = figures["base"]
    return "\n".join(
        [
            f"start: median of {rounds} rounds, CPU",
            f"  import gevent, requests   {base * 1e3:8.1f} ms",
            f"  chaperon --version        {figures['version'] * 1e3:8.1f} ms{figures['version'] / base:8.2f} ×",
            f"  chaperon local, to the first request{figures['first'] * 1e3:8.1f} ms{figures['first'] / base:8.2f} ×",
            f"  import chaperon           {figures['import'] * 1e3:8.1f} ms",
        ]
    )


def _cpu(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> float:
    """Return the CPU seconds of a process."""
    child = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"benchmarks: {' '.join(command)} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def _printed(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> float:
    """Return the number that a process prints first."""
    said = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    try:
        return float(said.stdout.split()[0])
    except (IndexError, ValueError):
        raise SystemExit(f"benchmarks: {' '.join(command)} said:\n{said.stdout}{said.stderr}") from None
