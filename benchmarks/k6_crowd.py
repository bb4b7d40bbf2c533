"""A crowd of k6's users, where there is a program of that name: thousands with think time, a connection each."""

from __future__ import annotations

from benchmarks.crowd import ARRIVALS, PATIENCE, THINK, crowded_target
from benchmarks.k6 import k6_command, k6_failures, k6_requests
from benchmarks.machine import pinned
from benchmarks.watched import Watched, watched

_SCRIPT = """
export default function () {{
  http.get('{url}/');
  sleep({think:g});
}}
"""


def k6_crowd(users: int, hold: float = 10.0) -> str:
    """Let that number of k6's users come, look and think as those of `crowd` do; return the figures as a line."""
    with crowded_target(users) as (target, folder, core):
        runs: list[tuple[Watched, int]] = []
        for many in (1, users):
            ramp = many / ARRIVALS
            script = _SCRIPT.format(url=target.url, think=THINK)
            command = k6_command(
                folder,
                script,
                users=many,
                seconds=hold,
                ramp=ramp,
                imports="import http from 'k6/http';\nimport { sleep } from 'k6';",
            )
            seen = watched(pinned(core, command), patience=ramp + hold + PATIENCE)
            if seen.code or k6_failures(folder):
                raise SystemExit(f"benchmarks: k6's crowd of {many:,} ended with {seen.code}:\n{seen.said[-2000:]}")
            runs.append((seen, k6_requests(folder)))
    (alone, _), (whole, requests) = runs
    return (
        f"crowd of k6: {users:,} users with {THINK:g} s of think time take {whole.most / 1e6:,.0f} MB, "
        f"{(whole.most - alone.most) / users:,.0f} B a user ({requests:,} requests, none failed, "
        f"{whole.used:.1f} s of CPU)"
    )
