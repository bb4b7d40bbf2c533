"""A run in code: what its verbs do before it has started, what a person notes."""

import pytest

from chaperon import Environment, Running, Scenario, iterations, run
from chaperon.errors import UsageError


def environment():
    return Environment(scenarios=[run(Scenario(lambda session: session.count("n"), name="shop"), iterations(3))])


@pytest.mark.parametrize(
    "verb",
    [
        lambda running: running.stop(),
        lambda running: running.abort("why"),
        lambda running: running.kill(),
        lambda running: running.scale(2.0),
        lambda running: running.pause(),
        lambda running: running.resume(),
        lambda running: running.report(),
        lambda running: running.wait(1.0),
    ],
)
def test_a_verb_before_the_start_says_what_to_do(verb):
    with pytest.raises(UsageError, match=r"has not started: call start\(\) first"):
        verb(Running(environment().plan()))


def test_a_block_around_a_run_that_never_started_ends_at_once():
    with Running(environment().plan()) as running:
        assert not running.ended


def test_what_a_person_notes_stands_in_the_report():
    with environment().start() as running:
        running.note("deployed 1.2")
        running.wait()

    assert running.report().notes["deployed 1.2"] == 1
