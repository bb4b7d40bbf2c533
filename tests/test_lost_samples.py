"""Visits lost with a worker are censored samples: percentiles have a lower bound, and limits break by the upper one."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from test_fleet import Ground

from chaperon import iterations, rate, users
from chaperon.cluster.master.lost_samples import LostVisits, censored_series
from chaperon.load.share import deal
from chaperon.measure.sample import Key
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import as_dict
from chaperon.report.report import Verdict

pytestmark = pytest.mark.long

TOOK = 3.0


def fleet_that_loses_a_worker(load, *, at=10.4, limits=(), took=TOOK):
    stage = Ground(load, took=took, limits=limits)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(at, lambda: stage.kill("w1"))
    return stage, stage.play()


@pytest.mark.parametrize("load", [rate(30, hold=20), users(60, hold=20), iterations(600, users=60)], ids=str)
def test_each_lost_visit_is_a_censored_sample_of_its_series(load):
    _, report = fleet_that_loses_a_worker(load)

    ledger, visit = report.ledger["shop"], report["visit"]
    assert ledger.lost > 0
    series = visit.series
    never_begun = series.response_censored.count - series.censored.count if load == rate(30, hold=20) else 0
    assert series.censored.count + never_begun == ledger.lost + ledger.interrupted
    assert visit.count == ledger.done + series.censored.count


def test_the_percentiles_of_a_fleet_that_lost_a_worker_have_a_lower_bound_in_table_json_and_limits():
    limits = ["p95(visit) < 4s", "p50(visit) < 4s"]

    _, report = fleet_that_loses_a_worker(rate(30, hold=15), limits=limits)

    (row,) = [row for row in as_dict(report)["series"] if row["kind"] == "visit"]
    assert row["p50"] == pytest.approx(TOOK, rel=0.01)
    assert row["p95"] is None
    assert 0.0 < row["at_least"]["p95"] <= TOOK * 1.01
    text = io.StringIO()
    print_report(report, Console(file=text, width=200))
    (line,) = [line for line in text.getvalue().splitlines() if line.startswith(" visit, from when due")]
    assert line.count("≥") == 3  # p90, p95, p99
    assert report["visit"].count + report["visit"].never_begun == 450 == report.ledger["shop"].planned
    assert [limit["held"] for limit in as_dict(report)["limits"]] == [False, True]
    assert report.verdict in (Verdict.FAIL, Verdict.INVALID)
    json.dumps(as_dict(report))


def test_a_fleet_that_loses_nobody_has_no_censored_visit():
    stage = Ground(rate(30, hold=5), took=0.5)
    stage.worker("w0")
    stage.fleet(1)

    report = stage.play()

    assert report["visit"].series.censored.count == 0
    assert report["visit"].count == 150


def test_what_a_worker_that_comes_back_has_done_is_no_censored_sample():
    stage = Ground(iterations(900, users=9), took=0.2)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(8.3, lambda: stage.net.cut.add(b"w1/1"))
    stage.after(25.0, lambda: stage.net.cut.discard(b"w1/1"))

    report = stage.play()

    assert report.ledger["shop"].lost == 0
    assert report["visit"].series.censored.count == report.ledger["shop"].interrupted


@pytest.mark.parametrize("healed", [20.0, 25.0])
def test_an_arrival_that_a_worker_cut_off_has_made_is_not_counted_as_never_begun_too(healed):
    stage = Ground(rate(30, hold=30), took=0.2)
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3)
    stage.after(8.3, lambda: stage.net.cut.add(b"w1/1"))
    stage.after(healed, lambda: stage.net.cut.discard(b"w1/1"))

    report = stage.play()

    ledger, visit = report.ledger["shop"], report["visit"]
    assert 900 == ledger.planned == ledger.done + ledger.lost
    assert ledger.lost > 0
    assert (visit.count, visit.never_begun) == (ledger.done, ledger.lost)


SHARES = deal([("open", rate(10, hold=5) >> rate(20, hold=5)), ("closed", users(5, hold=10))], 2, warmup=2.0)
visits = st.builds(
    LostVisits, st.sampled_from(["open", "closed", "unknown"]), st.integers(0, 12), st.integers(0, 50),
    st.floats(0, 20), st.booleans(),
)  # fmt: skip


@given(st.lists(visits, max_size=20))
def test_every_lost_visit_is_one_sample_at_most_as_old_as_it_can_be(lost):
    found = censored_series(lost, SHARES)

    begun = [v for v in lost if v.begun and v.label != "unknown"]
    open_ones = [v for v in lost if v.label == "open"]
    assert sum(s.censored.count for s in found.values()) == sum(v.count for v in begun)
    assert sum(s.response_censored.count for s in found.values()) == sum(v.count for v in open_ones)
    assert all(s.good.count == s.bad.count == s.response.count == 0 for s in found.values())
    assert all(key.kind == key.name == "visit" for key in found)
    for v in begun:
        assert 0.0 <= v.age <= max(v.seen - v.due, 0.0)


def test_a_visit_lost_in_the_warm_up_is_a_sample_of_the_warm_up():
    (key,) = censored_series([LostVisits("closed", 1, 3, 5.0)], SHARES)

    assert key == Key("closed", "visit", "visit", "warm-up")
