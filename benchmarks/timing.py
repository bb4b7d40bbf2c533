"""CPU and lateness of starts with fine waits, by a timerfd, and with the timers of the hub's loop.

Beside them stands a program in C that does nothing but wait for as many moments (`bare_waits.c`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.machine import cores, pinned, program
from benchmarks.measured_child import SentNothing, measure_child
from benchmarks.target import Target, nginx

RATES = (200, 1_000, 3_000)
WARM = 1.0

_COARSE = """
from chaperon import alarms


def unavailable(self, hub):
    raise OSError("not in this measurement")


if not {fine}:
    alarms.TimerFd.__init__ = unavailable
"""

_SCENARIO = (
    _COARSE
    + """
from chaperon import step


@step
def look(session):
    session.get("/")
"""
)

_WAITS = (
    _COARSE
    + """
import json

import gevent

from chaperon.clock import HubClock, cpu

clock, late = HubClock(), []


def wait():
    began = clock.now()
    for number in range(1, int({rate} * {seconds})):
        due = began + number / {rate}
        while (now := clock.now()) < due:
            clock.sleep(due - now)
        late.append(now - due)


used = cpu()
gevent.spawn(wait).get()
used = cpu() - used
late.sort()
print(json.dumps([used / {seconds}, late[len(late) // 2], late[int(0.99 * len(late))]]))
"""
)


@dataclass(frozen=True)
class Timing:
    """Of one run: the share of a core it used, and the lateness of starts in seconds."""

    cpu: float
    late_p50: float
    late_p99: float


Seen = dict[tuple[int, bool], list[Timing]]
"""The runs by rate, and by whether waits were fine."""


def timing(seconds: float = 4.0, rounds: int = 5) -> str:
    """Measure waits alone, then open loads of one `get`, with fine waits and without in turn; return three tables."""
    target_core, core = cores()
    with tempfile.TemporaryDirectory(prefix="chaperon-bench-") as name, nginx(Path(name), target_core) as target:
        folder = Path(name)
        bare = _bare_waits(rounds, seconds, folder, core)
        waits = _alternating(rounds, lambda rate, fine: _waits(rate, fine, seconds, folder, core))
        loads = _alternating(rounds, lambda rate, fine: _load(rate, fine, seconds, target, folder, core))
    ended = f"{rounds} alternating rounds of {seconds:g} s, medians"
    alone, gets = _table(f"waits alone, {ended}", waits), _table(f"open loads of one get, {ended}", loads)
    rows = [f"{rate:>8,}  {_cells(runs)}" for rate, runs in bare.items()]
    floor = [
        f"a C program that only waits, {ended}",
        f"{'a second':>8}  {'core':>10}  {'late p50':>9}  {'late p99':>9}",
    ]
    return "\n\n".join([alone, gets, "\n".join([*floor, *rows])])


def _bare_waits(rounds: int, seconds: float, folder: Path, core: int) -> dict[int, list[Timing]]:
    binary, source = folder / "bare_waits", Path(__file__).with_name("bare_waits.c")
    subprocess.run([program("cc"), "-O2", "-D_GNU_SOURCE", "-o", str(binary), str(source)], check=True)

    def run(rate: int) -> Timing:
        return _timing_of(pinned(core, [str(binary), str(rate), str(seconds)]))

    return {rate: [run(rate) for _ in range(rounds)] for rate in RATES}


def _alternating(rounds: int, run: Callable[[int, bool], Timing]) -> Seen:
    seen: Seen = {(rate, fine): [] for rate in RATES for fine in (True, False)}
    for lap in range(rounds):
        for rate in RATES:
            for fine in (True, False) if lap % 2 else (False, True):  # so that a drift weighs on both alike
                seen[rate, fine].append(run(rate, fine))
    return seen


def _table(title: str, seen: Seen) -> str:
    rows = [
        title,
        f"{'a second':>8}  {'fine: core':>10}  {'late p50':>9}  {'late p99':>9}  {'loop: core':>10}  {'late p50':>9}"
        f"  {'late p99':>9}  {'cost of fine waits':>18}",
    ]
    for rate in RATES:
        fine, coarse = seen[rate, True], seen[rate, False]
        extra = median(a.cpu - b.cpu for a, b in zip(fine, coarse, strict=True))
        rows.append(f"{rate:>8,}  {_cells(fine)}  {_cells(coarse)}  {extra:>+11.1%} a core")
    return "\n".join(rows)


def _cells(runs: list[Timing]) -> str:
    cpu, p50, p99 = (median(each) for each in zip(*((r.cpu, r.late_p50, r.late_p99) for r in runs), strict=True))
    return f"{cpu:>10.1%}  {p50 * 1e3:>6.2f} ms  {p99 * 1e3:>6.2f} ms"


def _waits(rate: int, fine: bool, seconds: float, folder: Path, core: int) -> Timing:
    file = folder / "waits.py"
    file.write_text(_WAITS.format(rate=rate, fine=fine, seconds=seconds))
    return _timing_of(pinned(core, [sys.executable, str(file)]))


def _timing_of(command: list[str]) -> Timing:
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return Timing(*json.loads(ended.stdout))


def _load(rate: int, fine: bool, seconds: float, target: Target, folder: Path, core: int) -> Timing:
    file, out, said = folder / f"timing_{fine}.py", folder / "timing.json", folder / "timing.txt"
    file.write_text(_SCENARIO.format(fine=fine))
    command = [sys.executable, "-m", "chaperon", "local", str(file), "--url", target.url, "--json", str(out), "--quiet"]
    command += ["--rate", str(rate), "--hold", f"{WARM + seconds + 1.0:g}s", "--no-brake"]
    try:
        with said.open("w") as stream:
            found = measure_child(
                command,
                core,
                out=stream,
                err=subprocess.STDOUT,
                counted=target.requests,
                warm=WARM,
                seconds=seconds,
            )
        generator = json.loads(out.read_text())["generator"]
    except (SentNothing, OSError) as exc:
        raise SystemExit(f"benchmarks: the load of {rate:,}/s {exc}:\n{said.read_text()[-2000:]}") from None
    return Timing(found.cost * found.rate, generator["late_p50"], generator["late_p99"])
