"""`chaperon plan` tells what would be sent, and sends nothing."""

import re

import pytest
from click.testing import CliRunner

from chaperon.cli.main import chaperon
from chaperon.errors import ChaperonError

SHOP = """
from chaperon import Environment, Scenario, pause, rate, run, spike, stages, step, users

@step
def browse(session):
    session.get("/")

shop = Scenario(browse)
production = Environment(
    "{url}",
    scenarios=[
        run(shop, stages(("30s", 100), ("1m", 100), ("10s", 0), of=users, think="2s")),
        run(shop, rate(20, hold="1m") >> pause("10s") >> spike(200, base=20, ramp="5s", hold="20s"), name="api"),
    ],
)
"""


@pytest.fixture
def plan(tmp_path, target):
    file = tmp_path / "shop.py"
    file.write_text(SHOP.replace("{url}", target.url))

    def run(*args):
        done = CliRunner().invoke(chaperon, ["plan", f"{file}:production", *args], standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done.output

    run.target = target
    return run


def test_the_plan_tells_every_stage_and_draws_it(plan):
    told = plan("--warmup", "10s")

    assert re.search(r"warm-up +0:00 to 0:10 +0 → 33.33 users", told)
    assert re.search(r"ramp-down +1:30 to 1:40 +100 → 0 users", told)
    assert re.search(r"pause +1:00 to 1:10", told)
    assert re.search(r"steady at 200/s +1:15 to 1:35 +200 visits/s", told)
    assert "think 2.00s" in told
    assert "6,300 arrivals, at even distances" in told
    assert "due at 0.000, 0.050, 0.100, 0.150, 0.200 … s" in told
    assert "in all: 6,300 visits planned, over 1:40" in told
    assert "█" in told
    assert max(map(len, told.splitlines())) < 100


WAVE = """
import math
from chaperon import Environment, Scenario, run, step
from chaperon.load.curve import Piece
from chaperon.load.shapes import _along, rate, stages

@step
def browse(session):
    session.get("/")

levels = [50 - 40 * math.cos(2 * math.pi * n / 32) for n in range(65)]
wave = _along([Piece(1.0, level, None, "wave") for level in levels[1:]], rate, {})
load = stages(("4s", 10)) >> wave >> stages(("4s", 30))
production = Environment("http://127.0.0.1:1", scenarios=[run(Scenario(browse), load)])
"""


def test_consecutive_pieces_of_one_phase_are_one_line_with_the_lowest_and_the_highest_level(plan, tmp_path):
    (tmp_path / "shop.py").write_text(WAVE)

    lines = plan().splitlines()

    rows = [re.split(r"  +", line.strip()) for line in lines if re.search(r"\d:\d\d to \d:\d\d", line)]
    assert rows == [
        ["ramp to 10/s", "0:00 to 0:04", "0 → 10 visits/s"],
        ["wave", "0:04 to 1:08", "10 to 90 visits/s"],
        ["ramp to 30/s", "1:08 to 1:12", "10 → 30 visits/s"],
    ]
    assert lines[0] == "browse: up to 90/s in 3 stages"


def test_a_ramp_and_a_hold_within_the_warm_up_are_one_line(plan):
    told = plan("--only", "api", "--load", "rate(20, ramp=5, hold=20)", "--warmup", "10s")

    assert re.findall(r"(warm-up|steady) +(\S+ to \S+) +(.+)", told) == [
        ("warm-up", "0:00 to 0:10", "0 to 20 visits/s"),
        ("steady", "0:10 to 0:25", "20 visits/s"),
    ]


@pytest.mark.parametrize(
    ("load", "line"),
    [
        ("users(1, hold=5)", r"steady +0:00 to 0:05 +1 user\n"),
        ("users(2, hold=5)", r"steady +0:00 to 0:05 +2 users\n"),
        ("rate(1, hold=5)", r"steady +0:00 to 0:05 +1 visit/s\n"),
        ("users_per_second(1, visits=2, hold=5)", r"steady +0:00 to 0:05 +1 user/s\n"),
        ("users(1, ramp=5, hold=5)", r"ramp +0:00 to 0:05 +0 → 1 users\n"),
    ],
)
def test_one_user_is_singular(plan, load, line):
    assert re.search(line, plan("--only", "api", "--load", load))


def test_nothing_is_sent(plan):
    plan()

    assert plan.target.asked == []


def test_any_load_can_be_given_as_text(plan):
    told = plan("--only", "api", "--load", "rate(3, hold=10, poisson=True) | users(2)", "--seed", "7")

    assert "3/s + 2 users" in told
    assert "a Poisson process, seeded" in told
    assert "it ends when all visits have been made" in told


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--load", "rate(3)"), "needs an end"),
        (("--load", "users(3)", "--users", "4"), "leave --users out"),
        (("--users", "3", "--in-flight", "4"), "--in-flight is for --rate"),
    ],
)
def test_what_makes_no_sense_is_refused(plan, args, why):
    with pytest.raises(ChaperonError, match=why):
        plan("--only", "api", *args)
