"""The JSON report of a seeded run in simulated time, held byte by byte against a file.

A change on purpose is written down by `python tests/test_golden_report.py`; the diff then shows it to a reader.
"""

import json
import subprocess
import sys
from difflib import unified_diff
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

GOLDEN = Path(__file__).with_name("golden") / "report.json"
FROM_THE_MACHINE = {"started", "chaperon", "generator", "workers", "health", "python", "host", "compiled"}
"""Keys whose values differ between machines, moments or versions: they are kept, their values are not."""


def scenarios():
    """Return two entries whose samples are of every kind that needs no target."""
    from chaperon import Scenario, measured, rate, run, step, users

    @measured
    def look_up(session):
        session.sleep(session.random.uniform(0.01, 0.05))

    @step(think="500ms")
    def browse(session):
        look_up(session)
        session.record("basket", session.random.randint(1, 9))
        session.count("pages", 2)
        session.gauge("queue", session.visit.number)
        session.check("an even visit", session.visit.number % 2 == 0)

    @step
    def pay(session):
        with session.tagged(area="checkout"), session.measure("charge", kind="redis"):
            session.sleep(session.random.expovariate(5))
        if session.random.random() < 0.1:
            raise ValueError("the card was declined")

    @step
    def report(session):
        session.spawn(lambda child: child.sleep(child.random.random()), task="render")
        session.join("render")
        if session.visit.number % 5 == 4:
            session.sleep("1h")

    shop = Scenario(browse, pay, name="shop")
    office = Scenario(report, name="office", timeout="3s")
    return [
        run(shop, rate(20, ramp="5s", hold="20s", warmup="2s", in_flight=60, poisson=True)),
        run(office, users(4, ramp="2s", hold="15s", think="1s")),
    ]


def masked(value):
    """Return the report with the values of what the machine decides replaced."""
    if isinstance(value, dict):
        return {key: "…" if key in FROM_THE_MACHINE else masked(inner) for key, inner in value.items()}
    return [masked(inner) for inner in value] if isinstance(value, list) else value


def golden():
    from chaperon import Environment
    from chaperon.execution.running import Running
    from chaperon.report.outputs.json import as_dict
    from chaperon.testing import VirtualClock

    clock = VirtualClock()
    environment = Environment(
        scenarios=scenarios(),
        seed=7,
        grace="5s",
        limits=[
            "p95(step browse) < 100ms",
            "p95(step pay) < 1ms",
            "errors(visit shop) < 50%",
            "service p50(charge {area=checkout}) < 1s over 5s",
            "count(task render in office) > 10 during steady",
            "max(nowhere) < 1s",
        ],
    )
    running = Running(environment.plan(), clock=clock).start()
    clock.run(lambda: running.ended)
    return json.dumps(masked(as_dict(running.report())), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def test_the_json_report_of_a_seeded_run_is_the_one_written_down():
    shown = subprocess.run([sys.executable, __file__, "--print"], check=True, capture_output=True, text=True).stdout

    changed = "\n".join(unified_diff(GOLDEN.read_text().split("\n"), shown.split("\n"), "golden", "shown", lineterm=""))

    assert not changed, f"{changed[:5000]}\nif this change is meant: python tests/test_golden_report.py"


if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    if "--print" in sys.argv:
        sys.stdout.write(golden())
    else:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(golden())
