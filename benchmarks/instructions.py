"""Instructions of a visit, counted by callgrind: a guard against slow drift that needs no quiet machine."""

from __future__ import annotations

import json
import os
import platform
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.compiled import CHECKOUT
from benchmarks.counted_visits import TOTAL, UNITS
from benchmarks.echo import SIZES, echo_server, listening
from benchmarks.machine import program

FILE = Path("benchmarks") / "instructions.json"
"""Where the figures are written down, in the checkout."""
DRIFT = 0.05
"""How many times more instructions than written down are too many, beyond once."""
PATIENCE = 300.0


@dataclass(frozen=True)
class Counted:
    """What is counted: a scenario whose step `send` calls `mark()` at the beginning of each unit.

    *target* starts what it is sent to, in a process of its own, and yields its base URL. *visits* of
    one user make `TOTAL` units in all: of an HTTP case one each, of an echo all in one.
    """

    name: str
    scenario: str
    target: Callable[[], AbstractContextManager[str]]
    visits: int = TOTAL


@contextmanager
def fixed_answers() -> Iterator[str]:
    """Run the target of HTTP visits; yield its URL."""
    with listening([sys.executable, "-m", "benchmarks.fixed_answers"]) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def fixed_answers_tls() -> Iterator[str]:
    """Run the target of HTTP visits under TLS; yield its URL."""
    with listening([sys.executable, "-m", "benchmarks.fixed_answers", "tls"]) as port:
        yield f"https://127.0.0.1:{port}"


_HTTP = """
from chaperon import step

def init(session):
    {login}

@step
def send(session):
    mark()
    {line}
"""


def _http(name: str) -> Counted:
    case = CASES[name]
    login = f"session.get({case.login!r})" if case.login else "pass"
    target = fixed_answers_tls if case.tls else fixed_answers
    return Counted(name, _HTTP.format(line=case.chaperon, login=login), target)


_ECHO = """
from chaperon import step

@step
def send(session):
    with session.ws("/") as ws:
        message = "x" * {size}
        for _ in range({units}):
            mark()
            ws.send(message)
            assert ws.recv() == message
"""


@contextmanager
def _echoes() -> Iterator[str]:
    """Run the target of echoes; yield its URL."""
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as folder, echo_server(Path(folder)) as server:
        yield server.url.replace("ws", "http", 1)


def _echo(name: str) -> Counted:
    return Counted(name, _ECHO.format(size=SIZES[name], units=TOTAL), _echoes, visits=1)


COUNTED = {counted.name: counted for counted in (*map(_http, ("get", "json", "cookies", "tls")), *map(_echo, SIZES))}


def unmeasurable() -> str:
    """Return why nothing can be counted on this machine, "" if it can."""
    for tool in ("valgrind", "cc"):
        try:
            program(tool)
        except SystemExit as exc:
            return str(exc)
    return ""


def built_by() -> dict[str, str]:
    """Return what else the figures depend on: the interpreter, the compilers and OpenSSL."""
    compiler = subprocess.run([program("cc"), "-dumpfullversion"], capture_output=True, text=True, check=True)
    return {
        "python": f"{platform.python_version()}, {platform.python_compiler()}",
        "compiler": compiler.stdout.strip(),
        "machine": platform.machine(),
        "mypy": version("mypy"),
        "openssl": ssl.OPENSSL_VERSION,
    }


def count(counted: Sequence[Counted] = tuple(COUNTED.values()), tree: Path | None = None) -> dict[str, int]:
    """Return the instructions of one unit of each, rounded: those in user space of the process that sends.

    *tree* is the folder of a compiled Chaperon, by default this one. Blocks for some seconds.
    """
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as name, ExitStack() as targets:
        folder = Path(name)
        library, out = folder / "marks.so", folder / "counted"
        marks = Path(__file__).with_name("callgrind_marks.c")
        subprocess.run([program("cc"), "-O2", "-shared", "-fPIC", "-o", str(library), str(marks)], check=True)
        urls = {start: targets.enter_context(start()) for start in {each.target: None for each in counted}}
        cases = [(each.name, urls[each.target], each.scenario, each.visits) for each in counted]
        command = [program("valgrind"), "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        command += [sys.executable, "-m", "benchmarks.counted_visits", str(library), json.dumps(cases)]
        root = tree or Path(__file__).resolve().parent.parent
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(root)}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        found = {}
        for file in folder.glob("counted.*"):
            lines = file.read_text().splitlines()
            trigger = next(line for line in lines if line.startswith("desc: Trigger:")).rpartition(" ")[2]
            total = next(line for line in lines if line.startswith(("summary:", "totals:")))
            found[trigger] = round(int(total.split()[1]) / UNITS)
    if done.returncode or set(found) != {each.name for each in counted}:
        raise SystemExit(f"benchmarks: nothing was counted:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return {each.name: found[each.name] for each in counted}


def instructions(write: bool = False) -> str:
    """Count, compare with the figures written down, return the table; with *write* put the new ones in their place."""
    found, file = count(), CHECKOUT / FILE
    known = json.loads(file.read_text()) if file.exists() else {"built_by": {}, "instructions": {}}
    here = built_by()
    lines = [f"instructions of one unit, in user space: {', '.join(here.values())}"]
    for name, n in found.items():
        before = known["instructions"].get(name)
        lines.append(f"  {name:<22}{n:>12,}" + ("" if before is None else f"{n / before - 1:>+10.1%}"))
    if known["built_by"] not in ({}, here):
        lines.append(f"  those written down are of {', '.join(known['built_by'].values())}")
    if write:
        file.write_text(json.dumps({"built_by": here, "instructions": found}, indent=2) + "\n")
        lines.append(f"  written to {FILE}")
    return "\n".join(lines)


def drifted(found: Mapping[str, int], known: Mapping[str, int]) -> list[str]:
    """Return a line for each that takes more instructions than written down, by more than `DRIFT`, or is not there."""
    return [
        f"{name}: {n:,} instructions a unit, written down are {known.get(name, 0):,}"
        for name, n in found.items()
        if n > known.get(name, 0) * (1 + DRIFT)
    ]
