"""Makes the pictures of docs/page.md and docs/compare.md: `python docs/pictures/make.py` (needs Chromium).

The runs are in simulated time, with one seed each: an endpoint that slows down from the third minute on,
as errors begin; and one that is slower in a second run, in its slowest requests most of all.
"""

import os
import sys
import tempfile
from pathlib import Path

from gevent import monkey

monkey.patch_all()
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from browser import Browser  # noqa: E402 - after the patches

from chaperon import Environment, Scenario, compare, rate, run, step  # noqa: E402
from chaperon.execution.running import Running  # noqa: E402
from chaperon.report.outputs.html import HtmlOutput  # noqa: E402
from chaperon.testing import VirtualClock  # noqa: E402

HEIGHT = 1250
"""Pixels of a page that are in a picture, from its top."""
START = 0.0


def request(session, name, usual, *, trouble=0.0, spread=0.4):
    """Take as long as a request of *name* does; with *trouble* some are slow and some fail after the third minute."""
    minute = session.clock.now() / 60 - START
    with session.measure(name, kind="http"):
        slow = 1 + trouble * max(minute - 3, 0)
        session.sleep(session.random.lognormvariate(0, spread) * usual * slow)
        if trouble and minute > 3 and session.random.random() < 0.04:
            raise ConnectionError("the pool of database connections is exhausted")


@step
def browse(session):
    request(session, "GET /products", 0.02)
    request(session, "GET /products/:id", 0.03)


def paying(**options):
    """Return the step that orders, and takes as long as *options* say."""

    @step
    def pay(session):
        request(session, "POST /orders", 0.05, **options)

    return pay


def perform(pay, load, seed, limits=(), outputs=(), run_file=None):
    """Perform the run in simulated time."""
    global START
    clock = VirtualClock()
    START = clock.now() / 60
    environment = Environment(
        "http://shop.test:8080",
        scenarios=[run(Scenario(browse, pay, name="shop"), load)],
        limits=limits,
        name="shop",
        seed=seed,
    )
    running = Running(environment.plan(), clock=clock).start(outputs, run_file=run_file)
    clock.run(lambda: running.ended)
    running.finish()


def main():
    """Write the pages, and their pictures."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        os.chdir(folder)
        limits = ["p95(POST /orders) < 300ms", "p95(GET /products) < 100ms", "errors < 2%"]
        load = rate(15, ramp="30s", hold="330s")
        perform(paying(trouble=3), load, 3, limits, [HtmlOutput(folder / "page.html")])
        for name, seed, spread in (("before", 1, 0.4), ("after", 2, 0.6)):
            load = rate(15, ramp="20s", hold="160s")
            perform(paying(spread=spread), load, seed, run_file=folder / f"{name}.chap")
        compare("before.chap", "after.chap", gates=["p50", "p95(POST /orders)", "errors"]).to_html(
            folder / "comparison.html"
        )
        browser = Browser()
        try:
            for page, theme in (("page", "light"), ("page", "dark"), ("comparison", "light")):
                browser.size(900, 900, dark=theme == "dark")
                browser.open((folder / f"{page}.html").as_uri())
                browser.picture(HERE / f"{page}-{theme}.png", height=HEIGHT)
        finally:
            browser.close()


if __name__ == "__main__":
    main()
