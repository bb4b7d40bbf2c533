"""The search for capacity finds the knee, confirms it, and knows whose limit it is."""

import json

import gevent
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples
from unjudged import unjudged

from chaperon import Environment, PlanError, Scenario, rate, run, step
from chaperon.cli.main import chaperon
from chaperon.cli.options import RunOptions
from chaperon.cli.outputs import OUTPUTS
from chaperon.errors import UsageError
from chaperon.execution.running import Running
from chaperon.load.search import Search
from chaperon.report.capacity import Capacity
from chaperon.report.report import Verdict
from chaperon.testing import VirtualClock


def searched(start, to, outcome, **kwargs):
    """The rates that were tried, where *outcome* says what comes of each."""
    search, tried = Search(start, to, **kwargs), []
    while search.next is not None:
        assert len(tried) < 60, tried
        tried.append(search.next)
        search.record(outcome(search.next))
    return search, tried


def test_the_rate_doubles_until_it_breaks_then_the_gap_is_halved_and_what_is_left_confirmed():
    search, tried = searched(10, 5_000, lambda t: "held" if t.rate <= 87 else "broke")

    assert [t.rate for t in tried[:5]] == [10, 20, 40, 80, 160]
    assert 87 / 1.06 <= search.rate <= 87
    assert tried[-1] == (search.rate, True)
    assert search.why == "limit"


@settings(max_examples=examples(200))
@given(st.floats(0.5, 5_000), st.floats(1, 50), st.floats(1, 100), st.floats(0.02, 0.3))
def test_what_is_found_is_within_a_share_of_the_knee(knee, start, more, within):
    search, tried = searched(start, start * more, lambda t: "held" if t.rate <= knee else "broke", within=within)

    assert len(tried) < 40
    if search.rate is None:
        assert knee < float(f"{start:.3g}")
    elif search.why == "top":
        assert search.rate == pytest.approx(start * more, rel=0.01)
    else:
        assert knee / (1 + within) * 0.985 <= search.rate <= knee


def test_nothing_breaks_up_to_the_top():
    search, tried = searched(10, 100, lambda t: "held")

    assert (search.rate, search.why, tried[-1]) == (100, "top", (100, True))


def test_it_breaks_at_once():
    search, tried = searched(10, 100, lambda t: "broke")

    assert (search.rate, search.why, len(tried)) == (None, "bottom", 1)


def test_it_goes_no_higher_when_the_generator_is_spent():
    search, tried = searched(10, 1_000, lambda t: "held" if t.rate < 100 else "spent")

    assert [t.rate for t in tried] == [10, 20, 40, 80, 160, 80]
    assert (search.rate, search.why) == (80, "generator")


def test_what_does_not_hold_again_is_backed_off_from():
    search, tried = searched(10, 1_000, lambda t: "held" if t.rate <= (70 if t.confirming else 87) else "broke")

    assert search.rate <= 70
    assert sum(t.confirming for t in tried) >= 2


def test_a_rate_that_never_holds_twice_is_unsteady():
    search, _ = searched(10, 1_000, lambda t: "broke" if t.confirming or t.rate > 87 else "held")

    assert (search.rate, search.why) == (None, "unsteady")


@pytest.mark.parametrize(("start", "to"), [(0, 10), (-1, 10), (20, 10), (1, float("inf"))])
def test_a_search_that_makes_no_sense_is_refused(start, to):
    with pytest.raises(PlanError):
        Search(start, to)


class Queue:
    """A service with one server: visits wait for those before them."""

    def __init__(self, clock, each):
        self.clock, self.each, self.free = clock, each, 0.0

    def visit(self, session):
        self.free = max(self.free, self.clock.now()) + self.each
        self.clock.sleep(self.free - self.clock.now())


def simulate(environment, clock):
    running = Running(environment.plan(), clock=clock).start()
    clock.run(lambda: running.ended)
    return running.report()


@pytest.mark.long
def test_the_knee_of_a_queue_is_where_its_server_is_always_busy():
    clock = VirtualClock()
    queue = Queue(clock, each=0.01)
    scenario = Scenario(lambda session: queue.visit(session), name="shop")
    environment = Environment(
        scenarios=[run(scenario, rate(1, hold=1, poisson=True))], limits=["p95(visit) < 200ms"], trust={"dropped": None}
    )

    capacity = environment.find(start=40, to=200, step=20, settle=5, perform=lambda e: simulate(e, clock))

    # M/D/1: at 200 ms a wait of 19 services, the server is busy for about 93 % of the time
    assert 85 <= capacity.rate <= 99
    assert capacity.why == "limit"
    assert capacity.verdict is Verdict.PASS
    rates = [float(line.split()[0].replace(",", "")) for line in capacity.lines()[1:]]
    assert rates == sorted(rates)
    assert "p95(visit) < 200ms" in capacity.lines()[0]
    assert "█" * 20 in "\n".join(capacity.lines())
    assert f"highest rate that held: {capacity.rate:g}/s; above it a limit broke" == capacity.said
    assert max(map(len, capacity.lines())) <= 80
    lowest = min(probe.rate for probe in capacity.probes if probe.outcome == "broke")
    assert capacity.reason.startswith(f"{lowest:g}/s: limit broke: p95(visit) < 200ms, but was ")


LIMITS = [
    (["p95(call work) < 300ms"], "p95(call work) < 300ms", "105ms"),
    (["p95(call work) < 300ms", "p99(call work) < 110ms", "errors(visit) < 1%"], "p99(call work) < 110ms", "105ms"),
    (["errors(visit) < 1%", "p95(visit) < 2s"], "p95(visit) < 2s", "1.10s"),
    (["min(call work) > 90ms", "p95(call work) < 1s"], "min(call work) > 90ms", "105ms"),
    (["errors(visit) < 1%"], "p95 of visits", "1.10s"),
]


@pytest.mark.parametrize(("limits", "heading", "shown"), LIMITS, ids=["one", "worst", "visits", "least", "none"])
def test_the_figure_is_the_value_that_the_limit_is_evaluated_on(limits, heading, shown):
    clock = VirtualClock()

    def visit(session):
        with session.measure("work"):
            clock.sleep(0.105)
        clock.sleep(0.995)

    environment = Environment(
        scenarios=[run(Scenario(visit, name="shop"), rate(1, hold=1))],
        limits=limits,
        trust={"dropped": None},
    )
    said = []

    capacity = environment.find(
        start=5,
        to=5,
        step=10,
        settle=0,
        perform=lambda e: simulate(e, clock),
        told=lambda probe: said.append(probe.figure),
    )

    head, *rows = capacity.lines()
    assert heading in head
    assert capacity.reason == ""
    assert all(f" {shown} " in row and len(row) <= 80 for row in rows)
    assert all(heading in line and line.endswith(shown) for line in said)
    probe = capacity.as_dict()["probes"][0]
    assert [each["limit"] for each in probe["limits"]] == limits
    assert probe["limit"] == (None if heading == "p95 of visits" else heading)
    assert probe["p95"] == pytest.approx(1.1)


def test_a_search_without_a_probe_has_no_chart(capsys):
    OUTPUTS[-1].write_capacity(RunOptions(), Capacity(None, "ended", ()))

    assert capsys.readouterr().out == "no rate was found: the search was stopped early\n"


def test_a_search_needs_a_limit_and_one_entry():
    scenario = Scenario(lambda session: None, name="shop")

    with pytest.raises(UsageError, match="needs a limit"):
        Environment(scenarios=[scenario]).find(start=1, to=2)
    with pytest.raises(UsageError, match="--only 'a', 'b'"):
        Environment(scenarios=[run(scenario, name="a"), run(scenario, name="b")], limits=["errors < 1%"]).find(
            start=1, to=2
        )


def test_the_command_finds_tells_and_writes(tmp_path, target):
    file, out = tmp_path / "shop.py", tmp_path / "out.json"
    file.write_text("from chaperon import step\n\n@step\ndef browse(session):\n    session.get('/')\n")

    done = CliRunner().invoke(
        chaperon,
        unjudged(["find", file, "--url", target.url, "--limit", "errors < 1%", "--from", "5", "--to", "8",
                  "--step", "1s", "--settle", "0.5s", "--json", out]),
        standalone_mode=False,
    )  # fmt: skip

    assert done.return_value == 0, done.output
    assert "highest rate that held: 8/s; no limit broke up to the highest rate" in done.output
    found = json.loads(out.read_text())
    assert found["rate"] == 8
    assert [probe["rate"] for probe in found["probes"]] == [5, 8, 8]
    assert target.count("GET /") == 8 + 12 + 20


def test_the_search_ends_when_somebody_ends_a_run():
    @step
    def browse(session):
        session.stop_run("enough")

    environment = Environment(scenarios=[Scenario(browse, name="shop")], limits=["errors < 1%"])

    with gevent.Timeout(20):
        capacity = environment.find(start=5, to=8, step=1, settle=0)

    assert (capacity.rate, capacity.verdict) == (None, Verdict.ABORTED)
