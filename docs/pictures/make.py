"""Makes the pictures of docs/page.md: `python docs/pictures/make.py` (needs Chromium).

The run is in simulated time, with one seed: an endpoint that slows down from the third minute on,
as errors begin.
"""

import sys
import tempfile
from pathlib import Path

from gevent import monkey

monkey.patch_all()
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from browser import Browser  # noqa: E402 - after the patches

from chaperon import Environment, Scenario, rate, run, step  # noqa: E402
from chaperon.execution.running import Running  # noqa: E402
from chaperon.report.outputs.html import HtmlOutput  # noqa: E402
from chaperon.testing import VirtualClock  # noqa: E402


def request(session, name, usual, trouble=0.0):
    """Take as long as a request of *name* does; after the third minute some are slow, and some fail."""
    minute = session.clock.now() / 60 - START
    with session.measure(name, kind="http"):
        slow = 1 + trouble * max(minute - 3, 0) if minute > 3 else 1
        session.sleep(session.random.lognormvariate(0, 0.4) * usual * slow)
        if trouble and minute > 3 and session.random.random() < 0.04:
            raise ConnectionError("the pool of database connections is exhausted")


@step
def browse(session):
    request(session, "GET /products", 0.02)
    request(session, "GET /products/:id", 0.03)


@step
def pay(session):
    request(session, "POST /orders", 0.05, trouble=3)


START = 0.0


def main():
    """Write the page of the run, and its pictures."""
    global START
    clock = VirtualClock()
    START = clock.now() / 60
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "run.html"
        environment = Environment(
            scenarios=[run(Scenario(browse, pay, name="shop"), rate(15, ramp="30s", hold="330s"))],
            limits=["p95(POST /orders) < 300ms", "p95(GET /products) < 100ms", "errors < 2%"],
            name="shop",
            seed=3,
        )
        running = Running(environment.plan(), clock=clock).start([HtmlOutput(page)])
        clock.run(lambda: running.ended)
        running.finish()
        browser = Browser()
        try:
            for name, dark in (("light", False), ("dark", True)):
                browser.size(1000, 900, dark=dark)
                browser.open(page.as_uri())
                browser.picture(HERE / f"page-{name}.png")
        finally:
            browser.close()


if __name__ == "__main__":
    main()
