"""What a fleet costs its master, what a second process brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import cores, many_files, pinned

ROOT = Path(__file__).resolve().parent.parent
BURN = """
from chaperon import step
from chaperon.clock import cpu


@step
def burn(session):
    until = cpu() + 0.002
    while cpu() < until:
        pass
    session.clock.sleep(0)
"""


@dataclass(frozen=True)
class Crew:
    """A number of simulated workers, with series for each and samples a second for each series."""

    workers: int
    series: int
    samples: int


CREWS = (Crew(100, 100, 40), Crew(1000, 10, 40))
WEIGHED = (Crew(1, 100, 40), Crew(1, 100, 1000))


def master(seconds: float = 20.0) -> str:
    """Return what each crew costs a master on a core of its own, the crew being played on the other."""
    many_files()
    lines = [
        "| simulated workers × series × samples a second | all joined, shares dealt | cores (Python's thread alone) "
        "| windows a second | resident, then later |",
        "|---|---|---|---|---|",
    ]
    for crew in CREWS:
        seen = _played(crew, seconds)
        rss = f"{seen['early'] / 1e6:.0f} MB, {seen['late'] / 1e6:.0f} MB"
        begun = f"{seen['joined']:.1f} s, {seen['dealt']:.1f} s later"
        core = f"{seen['cores']:.2f} ({seen['python']:.2f})"
        lines.append(f"| {_name(crew)} | {begun} | {core} | {seen['windows'] / seen['seconds']:.0f} | {rss} |")
    lines += ["", "| series × samples a second | bytes a worker a second |", "|---|---|"]
    lines += [f"| {crew.series} × {crew.samples:,} | {_bytes(crew):,} |" for crew in WEIGHED]
    return "\n".join(lines)


def processes(seconds: float = 6.0, rounds: int = 3) -> str:
    """Return how many times the visits of one process two send, each visit costing 2 ms of processor."""
    ratios = []
    for _ in range(rounds):
        one, two = (_visits(n, seconds) for n in (1, 2))
        ratios.append(two / one)
    median = sorted(ratios)[len(ratios) // 2]
    told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"two processes send {median:.2f} times what one does (rounds: {told})"


def _played(crew: Crew, seconds: float) -> dict[str, float]:
    players, conductor = cores()
    command = [sys.executable, "-m", "benchmarks.fleet_master", *map(str, (*_fields(crew), seconds))]
    with subprocess.Popen(pinned(conductor, command), cwd=ROOT, stdout=subprocess.PIPE, text=True) as conducting:
        assert conducting.stdout is not None
        address, key = conducting.stdout.readline().split()
        environment = {**os.environ, "PLAYERS_KEY": key}
        play = [sys.executable, "-m", "benchmarks.fleet_players", address, *map(str, _fields(crew))]
        with subprocess.Popen(pinned(players, play), cwd=ROOT, env=environment) as playing:
            seen: dict[str, float] = json.loads(conducting.stdout.readline())
            playing.kill()
    return seen


def _fields(crew: Crew) -> tuple[int, int, int]:
    return crew.workers, crew.series, crew.samples


def _name(crew: Crew) -> str:
    return f"{crew.workers:,} × {crew.series} × {crew.samples}"


def _bytes(crew: Crew) -> int:
    from benchmarks.fleet_players import bodies

    return sum(map(len, bodies(crew.series, crew.samples, 5))) // 5


def _visits(n: int, seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "burn.py").write_text(BURN)
        command = ["local", "burn.py", "--users", "8", "--hold", f"{seconds}s", "--processes", str(n)]
        subprocess.run(
            [sys.executable, "-m", "chaperon", *command, "--quiet", "--json", "out.json"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,  # on a crowded machine the generator may rightly be called unfit
            stdout=subprocess.DEVNULL,
        )
        return int(json.loads(Path(folder, "out.json").read_text())["ledger"][0]["done"])
