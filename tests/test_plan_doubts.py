"""What the author of a plan may not have meant: think times that never pass, limits on names that nothing has."""

import pytest
from click.testing import CliRunner

from chaperon import (
    Environment,
    Scenario,
    between,
    iterations,
    mix,
    pause,
    rate,
    run,
    stages,
    step,
    users,
    users_per_second,
)
from chaperon.cli.commands.plan import plan
from chaperon.testing import ScriptedNetwork, VirtualClock, simulate


@step(think="2s")
def browse(session):
    session.sleep(1)


@step
def pay(session):
    session.sleep(1)


@step(name="look around")
def look(session):
    session.sleep(1)


ONE = Scenario(browse, name="shop")


def visits(scenario, load):
    report = simulate(Environment(scenarios=[run(scenario, load)]), ScriptedNetwork(VirtualClock()))
    return report.ledger["shop"].done, round(report.duration, 3)


@pytest.mark.parametrize(
    ("scenario", "load", "wanted"),
    [
        (ONE, users(1, hold=12), (4, 12.0)),
        (ONE, users(1, hold=12, think=5), (2, 12.0)),
        (ONE, users(1), (1, 1.0)),
        (ONE, iterations(3), (3, 9.0)),
        (Scenario(pay, browse, name="shop"), users(1, hold=12), (3, 12.0)),
        (Scenario(browse, pay, name="shop"), users(1, hold=12), (3, 12.0)),
        (ONE, users(1, hold=6) | users(1, hold=6), (4, 6.0)),
        (ONE, users(1, hold=6) >> pause(3) >> users(1, hold=6), (4, 15.0)),
        (ONE, users_per_second(1, visits=2, hold=1), (2, 6.0)),
        (ONE, rate(1, hold=3), (3, 3.0)),
    ],
    ids=str,
)
def test_the_think_time_of_the_last_step_passes_between_the_visits_of_a_user(scenario, load, wanted):
    done, length = visits(scenario, load)

    assert done == wanted[0]
    assert length == pytest.approx(wanted[1], abs=2.001)


@pytest.mark.parametrize(
    ("scenario", "load", "why"),
    [
        (ONE, rate(1, hold=3), "visits of this load start when they are due"),
        (ONE, users(1, hold=3, think=1), "the load has its own"),
        (mix({ONE: 1, Scenario(pay): 1}), users(2, hold=3), "a load has one for all members: "),
        (Scenario.choose({ONE: 1, Scenario(pay): 1}), users(2, hold=3), "a load has one for all members: "),
    ],
    ids=str,
)
def test_a_think_time_that_never_passes_is_named(scenario, load, why):
    (doubt,) = Environment(scenarios=[run(scenario, load)]).doubts

    assert doubt.startswith(f"think= of step browse never passes: it is the last step of shop; {why}")


@pytest.mark.parametrize(
    ("scenario", "load"),
    [
        (ONE, users(1)),
        (ONE, users(1, hold=3)),
        (ONE, iterations(3)),
        (Scenario(browse, browse), rate(1, hold=3)),
        (Scenario(pay), rate(1, hold=3)),
        (Scenario(pay), users(1, hold=3, think=between(1, 2))),
        (mix({Scenario(pay): 1, Scenario(look): 1}), users(2, hold=3)),
    ],
    ids=str,
)
def test_a_think_time_that_passes_is_not(scenario, load):
    assert Environment(scenarios=[run(scenario, load)]).doubts == []


SHOP = Scenario(browse, name="shop")
ENTRIES = [run(SHOP, stages((10, 5), (10, 5), of=users)), run(mix({Scenario(look, name="a"): 1}, name="both"))]
DOUBTED = {
    "p95(step brwose) < 1s": "there is no step 'brwose' so far as the scenario file shows; did you mean browse?",
    "p95(step look) < 1s": "there is no step 'look' so far as the scenario file shows; did you mean look around?",
    "max(visit shp) < 1s": "there is no scenario 'shp' so far as the scenario file shows; did you mean shop?",
    "p95(GET / in stop) < 1s": "there is no scenario 'stop' so far as the scenario file shows; did you mean shop?",
    "errors < 1% during stedy": "there is no phase 'stedy' so far as the scenario file shows; did you mean steady?",
}
KNOWN = [
    "p95(step browse) < 1s",
    "p95(step pay in shop) < 1s",
    "p95(step look around) < 1s",
    "max(step init) < 1s",
    "max(visit shop) < 1s",
    "max(visit both/a) < 1s",
    "p95(GET / in shop/nested) < 1s",
    "p95(GET /anything) < 1s",
    "errors(check no) < 1%",
    "errors < 1% during ramp",
    "errors < 1% during steady",
    "p95 < 1s",
]


@pytest.mark.parametrize(("limit", "sentence"), DOUBTED.items())
def test_a_limit_on_a_name_that_the_plan_does_not_have_is_named_before_the_run(limit, sentence):
    assert Environment(scenarios=ENTRIES, limits=[limit]).doubts == [f"limit {limit}: {sentence}"]


@pytest.mark.parametrize("limit", KNOWN)
def test_a_limit_on_a_name_that_may_come_is_not(limit):
    assert Environment(scenarios=ENTRIES, limits=[limit]).doubts == []


def test_a_command_prints_the_doubts_of_its_options(tmp_path):
    (tmp_path / "shop.py").write_text("from chaperon import step\n@step(think=1)\ndef buy(session): pass\n")
    done = CliRunner().invoke(
        plan, [str(tmp_path / "shop.py"), "--rate", "2", "--hold", "2s", "--limit", "max(step by) < 1s"]
    )

    assert done.exit_code == 0
    assert [line.partition(": ")[2] for line in done.stderr.splitlines()] == [
        "think= of step buy never passes: it is the last step of shop; visits of this load start when they are due",
        "limit max(step by) < 1s: there is no step 'by' so far as the scenario file shows; did you mean buy?",
    ]
