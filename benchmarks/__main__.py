"""The command line of the benchmarks."""

from __future__ import annotations

import argparse

from benchmarks.cases import CASES
from benchmarks.duel import duel


def main() -> None:
    """Run what was asked for, all of it by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("case", nargs="*", help=f"which of {', '.join(CASES)} (all)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement (2)")
    parser.add_argument("--rounds", type=int, default=5, help="how many alternating rounds (5)")
    parser.add_argument("--users", type=int, default=64, help="users, which is connections too (64)")
    args = parser.parse_args()
    unknown = [name for name in args.case if name not in CASES]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    for name in args.case or CASES:
        print(duel(CASES[name], users=args.users, seconds=args.seconds, rounds=args.rounds), flush=True)


if __name__ == "__main__":
    main()
