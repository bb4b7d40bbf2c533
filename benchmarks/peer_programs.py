"""Load generators that are measured where their program is on the PATH: k6, hey, oha."""

from __future__ import annotations

import re
import shutil

from benchmarks.cases import COOKIE_HEADER, Case
from benchmarks.k6 import has_k6, k6_command, k6_failures
from benchmarks.peers import Job, Peer

_K6 = """
options.noCookiesReset = true;
export default function () {{
  {login}
  {send}
}}
"""
_DISTRIBUTED = re.compile(r"^\s*\[(\d+)\]\s+(.*)$", re.MULTILINE)
_CUT_AT_THE_END = "aborted due to deadline"
"""What oha says of the requests in flight when its time is over."""


def _k6(job: Job) -> list[str]:
    case, url = job.case, job.url + job.case.path
    send = f"http.get('{url}');"
    if case.order:
        headers = "{ headers: { 'Content-Type': 'application/json' } }"
        send = f"http.post('{url}', JSON.stringify({case.order}), {headers}).json();"
    login = f"if (__ITER === 0) http.get('{job.url}{case.login}');" if case.login else ""
    script = _K6.format(login=login, send=send)
    return k6_command(job.folder, script, users=job.users, seconds=job.seconds, imports="import http from 'k6/http';")


def _options(case: Case) -> list[str]:
    """Return what hey and oha want to know of a case; both have these options."""
    order = ["-m", "POST", "-T", "application/json", "-d", case.order] if case.order else []
    return [*order, *(["-H", COOKIE_HEADER] if case.login else [])]


def _hey(job: Job) -> list[str]:
    load = ["-z", f"{round(job.seconds)}s", "-c", str(job.users), "-cpus", "1"]
    return ["env", "GOMAXPROCS=1", "hey", *load, *_options(job.case), job.url + job.case.path]


def _oha(job: Job) -> list[str]:
    load = ["-z", f"{round(job.seconds)}s", "-c", str(job.users), "--no-tui", "--insecure"]
    return ["oha", *load, *_options(job.case), job.url + job.case.path]


def distributed_failures(said: str) -> int:
    """Return how many requests failed by the distributions of statuses and of errors that hey and oha print."""
    status, _, error = said.partition("Error distribution:")
    bad = sum(
        int(found[2].split()[0])
        for found in _DISTRIBUTED.finditer(status.partition("Status code distribution:")[2])
        if found[1] != "200"
    )
    return bad + sum(int(found[1]) for found in _DISTRIBUTED.finditer(error) if _CUT_AT_THE_END not in found[2])


K6 = Peer("k6", _k6, lambda said, job: k6_failures(job.folder), lambda case: has_k6())
HEY = Peer("hey", _hey, lambda said, job: distributed_failures(said), lambda case: shutil.which("hey") is not None)
OHA = Peer("oha", _oha, lambda said, job: distributed_failures(said), lambda case: shutil.which("oha") is not None)

PROGRAMS = (K6, HEY, OHA)
