"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.before import before
from benchmarks.cases import CASES
from benchmarks.compiled import STARTED_IN, go_on_compiled
from benchmarks.crowd import LARGE, crowd, crowd_before, crowd_together
from benchmarks.duel import duel
from benchmarks.echo import SIZES, echo
from benchmarks.fleet import master, processes
from benchmarks.frames import frames
from benchmarks.instructions import instructions
from benchmarks.intervals import intervals
from benchmarks.k6 import has_k6
from benchmarks.k6_crowd import k6_crowd
from benchmarks.live_page import live_page
from benchmarks.live_view import live_view
from benchmarks.profile import profile
from benchmarks.real_runs import LENGTH, MARGIN, real_runs
from benchmarks.recording import recording
from benchmarks.run_files import run_files
from benchmarks.situations import SITUATIONS
from benchmarks.sockets import sockets
from benchmarks.start import start
from benchmarks.sweep import sweep
from benchmarks.timing import timing
from benchmarks.truth import situations
from benchmarks.windows import windows

WHAT = (
    *CASES,
    "recording",
    "crowd",
    *SIZES,
    "frames",
    "sockets",
    "profile",
    "master",
    "windows",
    "timing",
    "processes",
    "truth",
    "intervals",
    "instructions",
    "start",
    "real-runs",
    "run-file",
    "live-view",
    "live-page",
)
BESIDE = (*CASES, "crowd")
"""What can be measured beside an earlier commit."""
SWEEP = "sweep"


FIRST = ("get", "recording", "crowd")


def main() -> None:
    """Run what was asked for, by default what takes under four minutes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Chaperon beside its peers.")
    parser.add_argument("what", nargs="*", metavar="NAME", help=f"{', '.join(WHAT)}, or all ({' '.join(FIRST)})")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement beside peers (2)")
    parser.add_argument("--rounds", type=int, default=5, help="how many alternating rounds (5)")
    parser.add_argument("--users", type=int, default=64, help="users beside peers, which is connections too (64)")
    parser.add_argument("--crowd", type=int, default=10_000, help="how many users a crowd is (10,000)")
    parser.add_argument("--processes", type=int, default=1, help="in how many processes a crowd is, on one core (1)")
    parser.add_argument("--sockets", type=int, default=5_000, help="how many WebSockets are held open (5,000)")
    parser.add_argument("--write", action="store_true", help="write down what instructions were counted")
    parser.add_argument(
        "--seeds", type=int, help="how often each, with another seed (truth: 1, intervals: 100, real-runs: 10)"
    )
    parser.add_argument("--length", type=int, default=LENGTH, help=f"seconds of a run of real-runs ({LENGTH})")
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="keep the run files of real-runs there, and use those that are there"
    )
    parser.add_argument(
        "--margin",
        action="append",
        type=float,
        metavar="PERCENT",
        help="of real-runs: count the pairs that differ by more, may be repeated (5)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[*(s.name for s in SITUATIONS), SWEEP],
        help="of truth: this situation, or the sweep, may be repeated (all, then the sweep)",
    )
    parser.add_argument(
        "--as-written", action="store_true", help="measure the source as it is, not compiled as an install is"
    )
    parser.add_argument(
        "--before", metavar="COMMIT", help=f"measure {', '.join(BESIDE)} beside an earlier commit instead of peers"
    )
    args = parser.parse_args()
    what = WHAT if args.what == ["all"] else args.what or FIRST
    unknown = [name for name in what if name not in WHAT]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(WHAT)}")
    if args.before and not set(BESIDE) >= set(what):
        parser.error(f"--before is for {', '.join(BESIDE)}")
    if not args.as_written:
        go_on_compiled()
    for name in what:
        print(_measured(name, args), flush=True)


def _measured(name: str, args: argparse.Namespace) -> str:
    if name == "recording":
        return recording()
    if name == "crowd":
        return _crowds(args)
    if name in ("master", "processes"):
        return master() if name == "master" else processes()
    if name == "truth":
        return _truth(args.seeds or 1, args.only or [])
    if name == "windows":
        return windows()
    if name == "timing":
        return timing(2 * args.seconds, args.rounds)
    if name == "intervals":
        return intervals(args.seeds or 100)
    if name == "instructions":
        return instructions(args.write)
    if name == "start":
        return start()
    if name == "run-file":
        return run_files()
    if name == "live-view":
        return live_view()
    if name == "live-page":
        return live_page(args.rounds)
    if name == "real-runs":
        margins = [percent / 100 for percent in args.margin or [100 * MARGIN]]
        return real_runs(
            args.seeds or 10, length=args.length, keep=args.keep and STARTED_IN / args.keep, margins=margins
        )
    if name == "profile":
        return profile(CASES["get"], users=args.users)
    if name == "frames":
        return frames()
    if name == "sockets":
        return sockets(args.sockets)
    if name in SIZES:
        return echo(name, sockets=args.users, seconds=args.seconds, rounds=args.rounds)
    if args.before:
        return before(args.before, CASES[name], users=args.users, seconds=args.seconds, pairs=args.rounds)
    return duel(CASES[name], users=args.users, seconds=args.seconds, rounds=args.rounds)


def _crowds(args: argparse.Namespace) -> str:
    if args.before:
        return crowd_before(args.before, args.crowd, args.rounds)
    if args.crowd > LARGE or args.processes > 1:
        return crowd(args.crowd, processes=args.processes)
    crowds = [crowd(args.crowd, transport=transport) for transport in ("wire", "urllib3")]
    return "\n".join([*crowds, *([k6_crowd(args.crowd)] if has_k6() else []), crowd_together()])


def _truth(seeds: int, only: list[str]) -> str:
    tables = [situations(seeds, only)] if only != [SWEEP] else []
    return "\n".join([*tables, *([sweep(seeds)] if not only or SWEEP in only else [])])


if __name__ == "__main__":
    main()
