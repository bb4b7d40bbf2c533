"""Makes the pictures of docs/page.md and docs/compare.md: `python docs/pictures/make.py` (needs Chromium and Pillow).

The runs are in simulated time, with one seed each: on two workers an endpoint that slows down from the third minute on,
as errors begin on one of them; and an endpoint that is slower in a second run, in its slowest requests most of all.
With a folder as argument, the pages are kept there.
"""

import io
import os
import sys
import tempfile
from pathlib import Path

from gevent import monkey

monkey.patch_all()
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

import gevent  # noqa: E402 - after the patches
from browser import Browser  # noqa: E402
from PIL import Image  # noqa: E402
from test_fleet import Ground  # noqa: E402

from chaperon import Environment, Scenario, compare, live_page, rate, run, step  # noqa: E402
from chaperon.execution.running import Running  # noqa: E402
from chaperon.report.outputs.html import HtmlOutput  # noqa: E402
from chaperon.testing import VirtualClock  # noqa: E402

WIDTH, HEIGHT = 1000, 1280
"""Pixels of a page that are in a picture, from its top."""
COLOURS = 128
"""Colours of a picture."""
MINUTES = 6
LIMITS = ("p95(POST /orders) < 300ms", "p95(GET /products) < 100ms", "errors < 2%")


def request(session, name, usual, spread=0.4):
    """Take as long as a request of *name* does."""
    with session.measure(name, kind="http"):
        session.sleep(session.random.lognormvariate(0, spread) * usual)


@step
def browse(session):
    request(session, "GET /products", 0.02)
    request(session, "GET /products/:id", 0.03)


def paying(spread=0.4):
    """Return the step that orders; its times have this *spread*."""

    @step
    def pay(session):
        request(session, "POST /orders", 0.05, spread)

    return pay


def failing(clock, began):
    """Return the step that orders on a worker without connections to its database, from the third minute on."""

    @step
    def pay(session):
        if clock.now() - began() < 180:
            request(session, "POST /orders", 0.05)
            return
        with session.measure("POST /orders", kind="http"):
            session.sleep(session.random.lognormvariate(0, 0.4) * 0.6)
            if session.random.random() < 0.2:
                raise ConnectionError("the pool of database connections is exhausted")

    return pay


def shop(pay, load, seed, limits=()):
    """Return the environment of a shop with this step for orders."""
    return Environment(
        "http://shop.test:8080",
        scenarios=[run(Scenario(browse, pay, name="shop"), load)],
        limits=limits,
        name="shop",
        seed=seed,
    )


def fleet(outputs):
    """Start the run on two workers, of which one fails from the third minute on; return its stage."""
    load = rate(15, ramp="30s", hold=f"{60 * MINUTES - 30}s")
    stage = Ground(load)
    bad = shop(failing(stage.clock, lambda: stage.master.state.began), load, 3, LIMITS)
    stage.environment = shop(paying(), load, 3, LIMITS)
    stage.worker("host1")
    stage.worker("host2", load_environment=lambda welcome, data: bad)
    stage.fleet(2, outputs=outputs)
    return stage


def perform(pay, load, seed, run_file):
    """Perform a run in one process in simulated time."""
    clock = VirtualClock()
    running = Running(shop(pay, load, seed).plan(), clock=clock).start(run_file=run_file)
    clock.run(lambda: running.ended)
    running.finish()


def picture(browser, path):
    """Write what is seen of the page, with few colours."""
    browser.picture(path, height=HEIGHT)
    with Image.open(io.BytesIO(path.read_bytes())) as seen:
        seen.convert("RGB").quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


def live_picture(browser):
    """Look at the run while it goes on, in its fifth minute, with one row opened."""
    stage = fleet([])
    with live_page.serve(stage.master) as page:
        seconds = set()

        def fifth_minute():
            """Let the page compute, in real time, after each simulated second."""
            if (second := int(stage.clock.now())) not in seconds:
                seconds.add(second)
                gevent.sleep(0.02)
            return page.feed._number >= 270

        stage.clock.run(fifth_minute)
        browser.size(WIDTH, 900, dark=True)
        browser.open(page.url)
        browser.value("lineOf(REPORT.series.findIndex((row) => row.name === 'POST /orders')).click()")
        browser.until("document.querySelector('#rows .detail canvas') !== null")
        picture(browser, HERE / "live-dark.png")
        browser.call("Page.navigate", url="about:blank")


def main():
    """Write the pages, and their pictures."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else made).resolve()
        os.chdir(folder)
        fleet([HtmlOutput(folder / "page.html")]).play()
        for name, seed, spread in (("before", 1, 0.4), ("after", 2, 0.6)):
            perform(paying(spread), rate(15, ramp="20s", hold="160s"), seed, folder / f"{name}.chap")
        gates = ["p50", "p95(POST /orders)", "errors"]
        compare("before.chap", "after.chap", gates=gates).to_html(folder / "comparison.html")
        browser = Browser()
        try:
            for page in ("page", "comparison"):
                browser.size(WIDTH, 900)
                browser.open((folder / f"{page}.html").as_uri())
                picture(browser, HERE / f"{page}-light.png")
            live_picture(browser)
        finally:
            browser.close()


if __name__ == "__main__":
    main()
