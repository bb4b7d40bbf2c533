"""A fleet conducted by a program of one's own, with a small shop as its target.

In one shell:      python examples/embedded_master.py
In another:        chaperon worker --master tcp://127.0.0.1 --processes 2 --once
"""

import sys

from gevent import monkey

monkey.patch_all()

import chaperon  # noqa: E402 - after the patch
from chaperon import Environment, Output, Scenario, rate, run, step  # noqa: E402
from chaperon.demo import target  # noqa: E402


def shop():
    """Start the shop, once, on the master only; every worker gets the url it yields."""
    with target() as url:
        yield {"url": url}


@step
def look_around(session):
    session.get("/")


production = Environment(
    setup=shop,
    scenarios=[run(Scenario(look_around, name="customers"), rate(40, hold="3s"))],
    limits=["errors < 1%"],
)


class Progress(Output):
    name = "the progress"

    def second(self, second):
        print("second", second.at, "of all workers:", second.requests.count, "requests", flush=True)

    def finish(self, report):
        for slow in report.slowest(3):
            print(f"{slow.took * 1000:.1f} ms  {slow.name}  at {slow.at:.1f} s", flush=True)


def main(bind="tcp://127.0.0.1:5570"):
    report = chaperon.master(
        production,
        bind=bind,
        workers=2,
        gather="60s",
        outputs=[Progress()],
        notify=lambda text: print(text, flush=True),
    )
    print(report.verdict.value, "by", ", ".join(worker.name for worker in report.workers))
    return report


if __name__ == "__main__":
    main(*sys.argv[1:])
