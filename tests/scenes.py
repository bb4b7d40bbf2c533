"""A scenario run once, against a target or in simulated time."""

from unjudged import UNJUDGED

from chaperon import Environment, Scenario, run, users
from chaperon.execution.running import Running
from chaperon.testing import VirtualClock


def once(target, *steps, load=None, scenario=None, **options):
    """Run the steps against the target, by default once, and return the report."""
    scenario = scenario or Scenario(*steps, name="shop")
    url = getattr(target, "url", target)
    options = {"trust": UNJUDGED, **options}
    return honest(Environment(url, scenarios=[run(scenario, load or users(1))], **options).execute())


def simulated(*steps, load=None, scenario=None, clock=None, **options):
    """Run steps that send nothing, in no time, and return the report."""
    scenario = scenario or Scenario(*steps, name="shop")
    clock = clock or VirtualClock()
    environment = Environment(scenarios=[run(scenario, load or users(1))], **options)
    running = Running(environment.plan(), clock=clock).start()
    clock.run(lambda: running.ended)
    return honest(running.report())


def honest(report):
    """Fail where an assertion failed in a scenario, which would only fail its visit."""
    for error in report.errors:
        assert error.error not in ("AssertionError", "Failed"), error
    assert not [reason for reason in report.reasons if "of Chaperon's own" in reason], report.reasons
    return report


def errors_of(report):
    """Return how often which error was listed for which series."""
    return {(e.series, e.error): e.count for e in report.errors}
