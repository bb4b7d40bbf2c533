"""What the live page and those who look at it cost a run: its CPU a second, and how late its visits start."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from urllib.request import Request, urlopen

import websocket

from benchmarks.machine import cores, pinned

VIEWERS = (None, 0, 3, 200)
"""How many look at the page; None is a run without one."""
SERIES, RATE, SECONDS = 50, 20, 10
"""Series, samples a second of each, and seconds of a run: 1,000 samples a second."""


def live_page(rounds: int) -> str:
    """Measure each of `VIEWERS` in turn, *rounds* times; return a table of the medians."""
    found: dict[int | None, list[dict[str, float]]] = {viewers: [] for viewers in VIEWERS}
    for number in range(rounds):
        for viewers in VIEWERS if number % 2 == 0 else VIEWERS[::-1]:
            found[viewers].append(_measured(viewers))
    lines = [f"live page: {SERIES} series of {RATE}/s, medians of {rounds} rounds"]
    for viewers, runs in found.items():
        name = "no page" if viewers is None else f"page, {viewers} viewers"
        cpu, late, worst = (statistics.median(run[what] for run in runs) for what in ("cpu", "late", "worst"))
        more = statistics.median(run["cpu"] - without["cpu"] for run, without in zip(runs, found[None], strict=True))
        lines.append(
            f"  {name:<18} {1e3 * cpu:6.1f} ms of CPU a second ({1e3 * more:+.1f}), "
            f"late p99 {1e3 * late:.2f} ms, worst second {1e3 * worst:.2f} ms"
        )
    return "\n".join(lines)


def _measured(viewers: int | None) -> dict[str, float]:
    looking = "none" if viewers is None else str(viewers)
    _, core = cores()
    module = [sys.executable, "-m", "benchmarks.paged_run"]
    command = pinned(core, [*module, looking, str(SERIES), str(RATE), str(SECONDS)])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        with _looking(url, viewers or 0):
            figures: dict[str, float] = json.loads(child.stdout.readline())
        child.wait(timeout=60)
    return figures


@contextmanager
def _looking(url: str, viewers: int) -> Iterator[None]:
    """Let *viewers* read each message of the page at *url* while the block runs."""
    if not viewers:
        yield
        return
    address, _, token = url.partition("#")
    with urlopen(Request(f"{address}state", headers={"Authorization": f"Bearer {token}"}), timeout=30) as answer:
        state = json.load(answer)
    place = f"{address.replace('http', 'ws')}socket?run={state['run']}&after={state['n']}"
    with ExitStack() as stack:
        for _ in range(viewers):
            link = websocket.create_connection(
                place, subprotocols=["chaperon", f"token.{token}"], suppress_origin=True, timeout=60
            )
            stack.callback(link.close)
            Thread(target=_read, args=(link,), daemon=True).start()
        yield


def _read(link: websocket.WebSocket) -> None:
    try:
        while link.recv():
            pass
    except (websocket.WebSocketException, OSError):
        return
