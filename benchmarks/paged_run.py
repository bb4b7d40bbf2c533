"""A run that shows its page, for `benchmarks.live_page`: `python -m benchmarks.paged_run PAGE SERIES RATE SECONDS`.

It prints the URL of the page, or "none", and at the end its CPU and its lateness as one line of JSON.
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

WARM = 4
"""Seconds at the beginning that count for nothing: viewers load the whole state in them."""


def main() -> None:
    """Perform the run."""
    paged, series, each, seconds = sys.argv[1] == "page", *map(int, sys.argv[2:])

    @step
    def visit(session):  # type: ignore[no-untyped-def]
        for number in range(session.visit.number % 10, series, 10):
            with session.measure(f"GET /{number}", kind="rpc"):
                pass

    environment = Environment(
        scenarios=[run(Scenario(visit, name="shop"), rate(10 * each, hold=seconds))],
        limits=["p95 < 1s", "errors < 1%"],
        trust={"own": None, "cpu": None, "late": None},
    )
    page = LivePage()
    with environment.start(outputs=[PageOutput(page)] if paged else []) as running:
        print(page.url if paged else "none", flush=True)
        time.sleep(WARM)
        used = time.process_time()
        time.sleep(seconds - WARM - 1)
        used = time.process_time() - used
        report = running.finish() if running.ended else running.report()
    measured = [second.health for second in report.seconds if WARM <= second.at < seconds - 1 and second.health]
    late = [health["late_p99"] for health in measured]
    page.close()
    print(json.dumps({"cpu": used / (seconds - WARM - 1), "late": statistics.median(late), "worst": max(late)}))


if __name__ == "__main__":
    main()
