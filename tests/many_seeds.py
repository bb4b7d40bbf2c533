"""Many seeds of a test that draws what happens, by hand: `--seeds` of them from `--first`, within `--seconds`."""

import argparse
import time


def run_seeds(test, what):
    """Call *test* with as many seeds as asked for, within a time; print those that break a law; return an exit code.

    *what* names the runs of a test in the last line.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300.0)
    asked = parser.parse_args()
    until, broken, ran = time.monotonic() + asked.seconds, 0, 0
    for seed in range(asked.first, asked.first + asked.seeds):
        if time.monotonic() > until:
            break
        ran += 1
        try:
            test(seed)
        except Exception as exc:
            broken += 1
            print(f"--- {exc if isinstance(exc, AssertionError) else f'seed {seed}: {exc!r}'}", flush=True)
    print(f"{ran} {what}, {broken} break a law")
    return 1 if broken else 0
