"""Run files changed at random from a seed: reading one gives a report or a RunFileError, soon and in bounded memory.

As a script, for many: python tests/fuzz_run_files.py --count 10000 [--first 1]
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import argparse
import json
import resource
import signal
import struct
import sys
import tempfile
import zlib
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from random import Random

from chaperon import Environment, RunFileError, Scenario, UsageError, rate, read_run, run, step
from chaperon.execution.running import Running
from chaperon.report.run_file.frames import FrameReader
from chaperon.testing import VirtualClock

HEAD = struct.Struct("<IIB")
SECONDS = 20
"""In which one file must be read."""
MEMORY = 100 << 20
"""Bytes by which reading one file may increase the memory of the process."""
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0xC0, 0xCB, 0xCF, 0xDD, 0xDF)
"""Bytes that begin or end something in MessagePack, or are extreme."""


def perform(path):
    """Write the run file of a short seeded run in simulated time with errors, checks, tags and limits."""

    @step
    def shop(session):
        for name in ("GET /", "POST /orders"):
            with session.measure(name, kind="http", area=name[:3]):
                session.sleep(session.random.lognormvariate(-3, 0.5))
                if session.random.random() < 0.1:
                    raise ValueError("refused")
        session.check("is there", session.random.random() < 0.9)

    clock = VirtualClock()
    environment = Environment(
        "http://shop.test",
        scenarios=[run(Scenario(shop, name="shop"), rate(5, ramp="4s", hold="24s"))],
        limits=["p95(GET /) < 100ms", "errors < 1% over 5s"],
        seed=7,
    )
    running = Running(environment.plan(), clock=clock).start(run_file=path)
    clock.run(lambda: running.ended)
    running.finish()


def frames_of(path):
    """Return the frames of a run file as (type, payload)."""
    with path.open("rb") as file:
        return list(FrameReader(file))


def sealed(frames):
    """Return frames as bytes, with valid lengths and checksums: what is wrong is then in their content."""
    return b"".join(HEAD.pack(len(p), zlib.crc32(p, zlib.crc32(bytes((kind,)))), kind) + p for kind, p in frames)


def changed(chance, frames, whole):
    """Return the bytes of a file with one kind of change."""
    if chance.random() < 0.25:
        return scrambled(chance, whole)
    frames = list(frames)
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(frames))
        kind, payload = frames[place]
        match chance.randrange(7):
            case 0:
                del frames[place]
            case 1:
                frames.insert(chance.randrange(len(frames) + 1), (kind, payload))
            case 2:
                other = chance.randrange(len(frames))
                frames[place], frames[other] = frames[other], frames[place]
            case 3:
                frames[place] = chance.randrange(256), payload
            case _:
                frames[place] = kind, scrambled(chance, payload)
        if not frames:
            break
    return sealed(frames)


def scrambled(chance, data):
    """Return bytes with some of them changed, cut, repeated or inserted."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((1, 2, 4, 8, 64))
        match chance.randrange(6):
            case 0:
                data[at : at + length] = chance.randbytes(length)
            case 1:
                data[at : at + 1] = bytes((chance.choice(NUMBERS),))
            case 2:
                data[at : at + length] = b""
            case 3:
                data[at:at] = data[at : at + length] * chance.choice((1, 3, 50))
            case 4:
                del data[at:]
            case 5:
                data[at : at + 9] = b"\xcb" + struct.pack(">d", chance.choice((0.0, -1.0, 1e308, 1e-320, 2.0**53)))
    return bytes(data)


@contextmanager
def bounded(case):
    """Fail where a case takes too long, or too much memory."""

    def late(number, frame):
        raise AssertionError(f"case {case}: not read within {SECONDS} s")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    assert more <= MEMORY, f"case {case}: {more >> 20} MiB more memory"


def fuzz(case, frames, whole, folder):
    """Read one changed file; return "report", or what it was refused by. Raises what no reader is to raise."""
    place = folder / "changed.chap"
    place.write_bytes(changed(Random(case), frames, whole))
    try:
        with bounded(case):
            file = read_run(place)
            json.dumps(file.report().to_dict(), allow_nan=False)
            file.per_second()
    except (RunFileError, UsageError) as exc:
        return type(exc).__name__
    return "report"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=1)
    asked = parser.parse_args()
    outcomes = Counter()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        perform(folder / "run.chap")
        frames, whole = frames_of(folder / "run.chap"), (folder / "run.chap").read_bytes()
        for case in range(asked.first, asked.first + asked.count):
            try:
                outcomes[fuzz(case, frames, whole, folder)] += 1
            except Exception:
                print(f"case {case} raised", flush=True)
                raise
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    said = ", ".join(f"{number:,} {what}" for what, number in outcomes.most_common())
    print(f"{asked.count:,} files: {said}; the process took at most {most} MiB")


if __name__ == "__main__":
    sys.exit(main())
