"""Who is measured: each peer as its own users would run it, one process of it."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.compiled import CHECKOUT
from benchmarks.machine import cache, program
from benchmarks.target import Target

LOCUST = "2.47.0"


@dataclass(frozen=True)
class Job:
    """One peer's one run: *folder* is its own, it sends for *seconds* with a number of *users*."""

    case: Case
    target: Target
    folder: Path
    users: int
    seconds: float

    @property
    def url(self) -> str:
        """The base URL, of the kind the case wants."""
        return self.target.tls_url if self.case.tls else self.target.url


@dataclass(frozen=True)
class Peer:
    """A load generator.

    *command* writes what it needs into the job's folder and returns the command line.
    *failures* reads from its standard output and folder how many requests failed, for a
    figure with failures in it is none. *can* says whether it knows how to do a case.
    """

    name: str
    command: Callable[[Job], Sequence[str]]
    failures: Callable[[str, Job], int]
    can: Callable[[Case], bool] = lambda case: True


def locust_home() -> Path:
    """Return the virtual environment that Locust lives in, made now if it is not there yet."""
    home = cache() / f"locust-{LOCUST}-py{sys.version_info.major}.{sys.version_info.minor}"
    if not (home / "whole").exists():
        print(f"installing locust {LOCUST} into {home}", flush=True)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", f"locust=={LOCUST}"], check=True)
        (home / "whole").touch()
    return home


_SCENARIO = """
from chaperon import step

def init(session):
    {login}

@step
def send(session):
    {line}
"""


def _chaperon(job: Job, *, start: Sequence[str] = (sys.executable, "-m", "chaperon")) -> list[str]:
    file = job.folder / "scenario.py"
    login = f"session.get({job.case.login!r})" if job.case.login else "pass"
    file.write_text(_SCENARIO.format(line=job.case.chaperon, login=login))
    load = ["--users", str(job.users), "--hold", f"{job.seconds:g}s", *(["--insecure"] if job.case.tls else [])]
    return [*start, "local", str(file), "--url", job.url, "--json", f"{job.folder}/out.json", *load]


def checkout(name: str, place: Path) -> Peer:
    """Return Chaperon as it is in another folder, compiled if that one is."""
    return Peer(
        name, lambda job: _chaperon(job, start=(sys.executable, str(place / "bin" / "chaperon"))), _chaperon_failures
    )


def _as_written(job: Job) -> list[str]:
    return _chaperon(job, start=(sys.executable, str(CHECKOUT / "bin" / "chaperon")))


_STOCK = """
from chaperon import Environment, Scenario, Service

environment = Environment(
    services={"default": Service(transport="urllib3")},
    scenarios=[Scenario(send, init=globals().get("init"))],
)
"""


def _stock(job: Job) -> list[str]:
    command = _chaperon(job)
    with (job.folder / "scenario.py").open("a") as file:
        file.write(_STOCK)
    return command


def _chaperon_failures(said: str, job: Job) -> int:
    report = json.loads((job.folder / "out.json").read_text())
    return sum(row["errors"] for row in report["series"] if row["kind"] == "http")


_LOCUSTFILE = """
from locust import FastHttpUser, HttpUser, constant, task

class Someone({kind}):
    wait_time = constant(0)
    insecure = True

    def on_start(self):
        self.client.verify = False
        {login}

    @task
    def send(self):
        {line}
"""


def _locust(kind: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        file = job.folder / "locustfile.py"
        login = f"self.client.get({job.case.login!r})" if job.case.login else "pass"
        file.write_text(_LOCUSTFILE.format(kind=kind, line=job.case.locust, login=login))
        start = [str(locust_home() / "bin" / "locust"), "-f", str(file), "--host", job.url]
        load = ["-u", str(job.users), "-r", str(job.users), "-t", f"{round(job.seconds)}s"]
        return [*start, *load, "--headless", "--json", "--loglevel", "ERROR"]

    return command


def _locust_failures(said: str, job: Job) -> int:
    return sum(int(row["num_failures"]) for row in json.loads(said))


def _bare(job: Job) -> list[str]:
    (job.folder / "request").write_bytes(job.case.bare)
    loop = str(Path(__file__).with_name("bare.py"))
    port = job.url.rpartition(":")[2]
    start = [sys.executable, loop, port, str(job.folder / "request"), str(job.users), f"{job.seconds:g}"]
    return [*start, *([job.case.order] if job.case.order else [])]


def _bare_failures(said: str, job: Job) -> int:
    return int(said.split()[-1])


def _wrk(job: Job) -> list[str]:
    start = [program("wrk"), "-t1", f"-c{job.users}", f"-d{round(job.seconds)}s"]
    if job.case.wrk:
        script = job.folder / "wrk.lua"
        script.write_text(job.case.wrk)
        start += ["-s", str(script)]
    return [*start, job.url + job.case.path]


def _wrk_failures(said: str, job: Job) -> int:
    lines = [line.strip() for line in said.splitlines()]
    bad = [line for line in lines if line.startswith(("Non-2xx", "Socket errors"))]
    return sum(int(word.rstrip(",")) for line in bad for word in line.split() if word.rstrip(",").isdigit())


CHAPERON = Peer("Chaperon", _chaperon, _chaperon_failures)
AS_WRITTEN = Peer("Chaperon as written", _as_written, _chaperon_failures)
STOCK = Peer("Chaperon on urllib3", _stock, _chaperon_failures)
HTTP_USER = Peer("Locust HttpUser", _locust("HttpUser"), _locust_failures)
FAST_HTTP_USER = Peer("Locust FastHttpUser", _locust("FastHttpUser"), _locust_failures)
BARE = Peer("a bare gevent loop", _bare, _bare_failures, lambda case: bool(case.bare))
WRK = Peer("wrk", _wrk, _wrk_failures)

PEERS = (CHAPERON, AS_WRITTEN, STOCK, HTTP_USER, FAST_HTTP_USER, BARE, WRK)
