"""A run that shows its page, for `benchmarks.live_page`: `python -m benchmarks.paged_run VIEWERS SERIES RATE SECONDS`.

VIEWERS is how many will look at the page, or "none" for a run without one. It prints the URL of the page, or "none",
waits for the viewers, and at the end prints its CPU and its lateness as one line of JSON.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - after the patches
import statistics  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

from chaperon import Environment, Scenario, rate, run, step  # noqa: E402
from chaperon.live_page.output import PageOutput  # noqa: E402
from chaperon.live_page.server import LivePage  # noqa: E402

LONGEST = 120
"""Seconds of a run at most; it is stopped when it has been measured."""
PATIENCE, WARM = 60, 2
"""Seconds within which the viewers must be there, and seconds from then on that count for nothing."""


def main() -> None:
    """Perform the run."""
    paged, viewers = sys.argv[1] != "none", int(sys.argv[1].replace("none", "0"))
    series, each, seconds = map(int, sys.argv[2:])

    @step
    def visit(session):  # type: ignore[no-untyped-def]
        for number in range(session.visit.number % 10, series, 10):
            with session.measure(f"GET /{number}", kind="rpc"):
                pass

    environment = Environment(
        scenarios=[run(Scenario(visit, name="shop"), rate(10 * each, hold=LONGEST))],
        limits=["p95 < 1s", "errors < 1%"],
        trust={"own": None, "cpu": None, "late": None},
    )
    page = LivePage()
    with environment.start(outputs=[PageOutput(page)] if paged else []) as running:
        print(page.url if paged else "none", flush=True)
        deadline = time.monotonic() + PATIENCE
        while len(page.feed.viewers) < viewers and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(WARM)
        began, used, at = running.pulse().elapsed, time.process_time(), time.monotonic()
        time.sleep(seconds)
        used, took = time.process_time() - used, time.monotonic() - at
        running.stop()
        report = running.report()
    measured = [second.health for second in report.seconds if began < second.at < began + seconds and second.health]
    late = [health["late_p99"] for health in measured]
    page.close()
    print(json.dumps({"cpu": used / took, "late": statistics.median(late), "worst": max(late)}))


if __name__ == "__main__":
    main()
