"""Rules turn the generator's faults into INVALID, with the reason, the seconds, the remedy."""

import math

import pytest

from chaperon.errors import PlanError
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Key, Sample
from chaperon.measure.window import RunEvent
from chaperon.report.collector import Collector
from chaperon.report.monitor import RunMonitor
from chaperon.report.report import Verdict
from chaperon.report.validity.seconds import consecutive, format_seconds
from chaperon.report.validity.validity_rules import ValidityRules
from chaperon.report.verdict import RunInfo

FINE = {
    "starts": 100.0, "late_p50": 0.0, "late_p99": 0.001, "lag_p50": 0.0, "lag_p90": 0.001, "lag_max": 0.002,
    "hub_cpu": 0.4, "cpu": 0.4, "machine": 0.5, "cores": 4.0, "dropped_late": 0.0, "dropped_cap": 0.0,
}  # fmt: skip


def report(*seconds, workers=("local",), took=0.01, planned=100, happenings=(), trust=None):
    """The report of a run whose windows had these figures, in which all went well besides."""
    watch = RunMonitor(Collector(workers), [], brake=None, rules=ValidityRules.of(trust or {}))
    recorders = {name: Recorder(name, began=0.0) for name in workers}
    for at, figures in enumerate(seconds):
        for name, record in recorders.items():
            own = figures.get(name, {}) if name in figures or set(figures) & set(workers) else figures
            for _ in range(planned):
                record.count_visit("shop", at, "planned")
                record.count_visit("shop", at, "done")
                record.record(Sample(Key("shop", "visit", "visit"), at, at + took, due=float(at)))
            if at == 0:
                for what in happenings:
                    record.record_event(what)
            watch.add(record.cut(health={**FINE, **own}))
    return watch.report(RunInfo("e", 1, "", float(len(seconds))), finished=True)


def test_a_generator_that_is_well_is_trusted():
    found = report(*[{}] * 10)

    assert (found.verdict, found.reasons, found.warnings) == (Verdict.PASS, (), ())


def test_drops_beyond_one_percent_are_invalid_with_their_seconds():
    found = report({}, {"dropped_late": 5.0}, {"dropped_late": 5.0}, {})

    assert found.verdict is Verdict.INVALID
    assert "10 of 410 arrivals (2.4%) were dropped, seconds 1–2: 10 too late to start" in found.reasons[0]
    assert "; asked for 102.5 visits/s, began 100/s; " in found.reasons[0]


def test_fewer_drops_are_a_warning():
    found = report({"dropped_cap": 2.0}, *[{}] * 9)

    assert found.verdict is Verdict.PASS
    assert (
        "2 beyond the cap of visits in flight; asked for 100.2 visits/s, began 100/s; raise in_flight="
        in found.warnings[0]
    )


def test_lateness_is_invalid_after_three_seconds_running():
    late = {"late_p99": 0.08, "hub_cpu": 0.99}

    three, two = report({}, late, late, late, *[{}] * 5), report({}, late, late, {}, late, *[{}] * 4)

    assert three.verdict is Verdict.INVALID
    assert "visits started late: 1 % of a second's by 80.0ms or more, seconds 1–3" in three.reasons[0]
    assert two.verdict is Verdict.PASS
    assert "seconds 1–2 and 4" in two.warnings[0]


def test_lateness_may_be_a_tenth_of_a_slow_visit():
    late = {"late_p99": 0.08}

    assert report(late, late, late, took=2.0).verdict is Verdict.PASS
    assert report(late, late, late, took=0.5).verdict is Verdict.INVALID


def test_a_lagging_hub_is_as_bad_as_late_starts():
    lag = {"starts": 0.0, "late_p99": 0.0, "lag_p90": 0.2}

    assert report(lag, lag, lag).verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "wrong",
    [
        {"hub_cpu": 0.99, "lag_p90": 0.02},
        {"late_p99": 0.08},
        {"lag_p90": 0.2},
        {"lag_max": 1.5},
        {"machine": 1.0, "lag_p50": 0.1},
    ],
    ids=["core", "late", "lag", "stall", "machine"],
)
def test_seconds_distort_nothing_in_which_no_visit_is_due_and_after_which_no_sample_ends(wrong):
    def run_of(due, *late):
        watch = RunMonitor(Collector(("local",)), [], brake=None, rules=ValidityRules())
        record = Recorder("local", began=0.0)
        for at in range(20):
            for _ in range(20 * (at < 9)):
                record.count_visit("shop", at, "planned")
                record.count_visit("shop", at, "done")
                record.record(Sample(Key("shop", "visit", "visit"), at, at + 0.01))
            for sample in late if at == 19 else ():
                record.record(sample)
            watch.add(record.cut(health={**FINE, **(wrong if at > 12 else {})}, due={"shop": 1.0 if at < due else 0.0}))
        return watch.report(RunInfo("e", 1, "", 20.0), finished=True)

    closing = run_of(13)
    due_to_the_end = run_of(20)
    in_flight_to_the_end = run_of(13, Sample(Key("shop", "visit", "visit"), 8.0, 20.0))

    assert (closing.verdict, closing.warnings) == (Verdict.PASS, ())
    assert due_to_the_end.verdict is Verdict.INVALID
    assert in_flight_to_the_end.verdict is Verdict.INVALID


def test_a_core_that_is_used_up_for_five_seconds_is_invalid_where_visits_wait():
    busy = {"hub_cpu": 0.99, "lag_p90": 0.02}

    assert report(*[busy] * 5).verdict is Verdict.INVALID
    assert report(*[busy] * 4, *[{}] * 11).verdict is Verdict.PASS
    assert report(*[{"hub_cpu": 0.5, "hub_wanted": 0.99, "lag_p90": 0.02}] * 5).verdict is Verdict.INVALID
    assert report(*[{"hub_cpu": 0.99}] * 9, took=0.05).verdict is Verdict.PASS
    assert report(*[{"hub_cpu": 0.99, "lag_p90": 0.0015}] * 9, took=0.001).verdict is Verdict.INVALID


def test_a_core_used_up_by_a_fast_target_is_no_fault_where_nothing_waits():
    busy = {"hub_cpu": 1.0, "lag_p90": 0.0012, "healthy_lag": 0.0003}

    assert report(*[busy] * 9, took=0.001).verdict is Verdict.PASS


@pytest.mark.parametrize("length", range(1, 13))
@pytest.mark.parametrize(
    ("wrong", "rule"), [({"late_p99": 0.08}, 3), ({"hub_cpu": 1.0, "lag_p90": 0.02}, 5)], ids=["late", "cpu"]
)
def test_no_run_is_too_short_to_be_invalid(wrong, rule, length):
    least = max(math.ceil(min(rule, length / 3)), 1)

    enough = report(*[wrong] * least, *[{}] * (length - least))
    fewer = report(*[wrong] * (least - 1), *[{}] * (length - least + 1))

    assert enough.verdict is Verdict.INVALID
    assert fewer.verdict is Verdict.PASS


def test_a_stop_that_takes_a_third_of_a_short_run_is_invalid_from_half_a_second_on():
    assert report({"lag_max": 0.6}).verdict is Verdict.INVALID
    assert report({"lag_max": 0.4}).verdict is Verdict.PASS
    assert report({"lag_max": 0.8}, {}).verdict is Verdict.INVALID
    assert report({"lag_max": 0.8}, {}, {}).verdict is Verdict.PASS


def test_the_remedy_says_how_many_processes_it_takes():
    late = {"late_p99": 0.5, "hub_cpu": 1.0, "dropped_late": 100.0}

    enough, few = report(*[late] * 5, planned=100), report(*[{**late, "cores": 1.0}] * 5, planned=100)

    assert "1 core is not enough for 100/s of this scenario: use --processes 2" in " ".join(enough.reasons)
    assert "but this machine has 1: use more machines" in " ".join(few.reasons)


def test_a_busy_machine_is_a_warning_and_invalid_where_visits_wait_for_it():
    waiting, bearable = {"machine": 1.0, "lag_p50": 0.02}, {"machine": 1.0, "lag_p50": 0.003}

    assert report(*[waiting] * 5).verdict is Verdict.INVALID
    found = report(*[bearable] * 5)
    assert found.verdict is Verdict.PASS
    assert "the machine's cores were all busy, seconds 0–4" in found.warnings[0]


def test_a_stall_is_invalid_with_what_was_seen_of_it():
    seen = RunEvent(1.0, "blocked", "a call blocked every other visit, at shop.py:7 in browse: sleep(2)", 2.0)

    found = report({}, {"lag_max": 2.0}, {}, happenings=[seen])

    assert found.verdict is Verdict.INVALID
    assert found.reasons == ("the event loop stalled for 2.00s, second 1: " + seen.text,)


def test_a_brief_block_is_a_warning_with_its_line():
    seen = RunEvent(1.0, "blocked", "a call blocked every other visit, at shop.py:7 in browse: sleep(.3)", 0.3)

    found = report({}, {"lag_max": 0.3}, {}, happenings=[seen])

    assert found.verdict is Verdict.PASS
    assert "shop.py:7" in found.warnings[0]


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"throttled": 0.6, "queued": 0.1}, "the control group's CPU quota was used up for 1.80s: raise the quota"),
        ({"throttled": 0.6, "hub_cpu": 0.9}, "the control group's CPU quota was used up for 1.80s: raise the quota"),
        ({"steal": 0.5}, "the hypervisor ran other machines for 1.50s"),
        ({"gc": 0.3, "queued": 0.1}, "garbage collection took 900ms"),
        ({"queued": 0.4}, "other processes occupied the generator's core for 1.20s: run it on an idle machine"),
        ({"queued": 0.01, "gc": 0.02}, "cause unknown"),
        ({}, "cause unknown"),
    ],
)
def test_lateness_is_explained_by_its_evidence_or_not_at_all(evidence, words):
    late = {"late_p99": 0.08, "hub_cpu": 0.3, **evidence}

    found = report(late, late, late, {"queued": 0.9})

    assert words in found.reasons[0]


@pytest.mark.parametrize("kind", ["blocked", "held", "collected", "throttled", "stolen", "starved", "paused"])
def test_a_stop_of_every_kind_is_told_with_its_words(kind):
    seen = RunEvent(1.0, kind, "why it stopped", 2.0)

    assert report({}, {"lag_max": 2.0}, {}, happenings=[seen]).reasons[0].endswith("second 1: why it stopped")
    assert "why it stopped" in report({}, {"lag_max": 0.3}, {}, happenings=[seen]).warnings[0]


def test_a_stop_that_nothing_explains_is_said_to_be_unknown():
    assert "cause unknown" in report({}, {"lag_max": 2.0}, {}).reasons[0]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("descriptors", "95 of 100 descriptors were in use: raise the limit"),
        (
            "ports",
            "95 TCP sockets were open on this machine, of which each target address can have 100 (a port each): widen",
        ),
    ],
)
def test_what_runs_out_is_invalid_and_nearly_so_a_warning(what, said):
    out = report({}, {f"out_of_{what}": 3.0})
    near = report({}, {what: 95.0, f"{what}_limit": 100.0})

    assert out.verdict is Verdict.INVALID
    assert f"3 connections failed because {what} ran out" in out.reasons[0]
    assert near.verdict is Verdict.PASS
    assert near.warnings[0].startswith(said)


def test_the_worker_at_fault_is_named():
    workers = ("alpha", "beta", "gamma")

    found = report(*[{"beta": {"late_p99": 0.3, "dropped_late": 50.0}}] * 4, workers=workers)

    assert found.verdict is Verdict.INVALID
    assert all("on beta" in reason for reason in found.reasons)
    assert not any("alpha" in reason or "gamma" in reason for reason in found.reasons)


def test_rules_can_be_set_and_turned_off():
    late = {"late_p99": 0.08}

    assert report(late, late, late, trust={"late": "100ms"}).verdict is Verdict.PASS
    assert report(late, late, late, trust={"late": None}).warnings == ()
    assert report({"dropped_late": 5.0}, trust={"dropped": "10%"}).verdict is Verdict.PASS
    assert report({"lag_max": 3.0}, trust={"stall": "off"}).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("lateness", 1),
        *[(rule, value) for rule in ("late", "stall", "late_for", "cpu_for") for value in ("soon", "2%", -1, "nan")],
        *[
            (rule, value)
            for rule in ("dropped", "own")
            for value in ("x%", "100ms", 5, "200%", -0.1, "nan%", "inf", True)
        ],
        *[(rule, value) for rule in ("late_share", "cpu", "exhausted") for value in ("x", "1s", -1, "nan", "inf", [])],
    ],
)
def test_a_rule_that_makes_no_sense_or_would_be_turned_off_by_its_value_is_refused(rule, value):
    with pytest.raises(PlanError, match=f"trust.*{rule}"):
        ValidityRules.of({rule: value})


@pytest.mark.parametrize(
    ("rule", "value", "bound"),
    [
        ("dropped", "2%", 0.02),
        ("own", 1, 1.0),
        ("late_share", "150%", 1.5),
        ("cpu", "95%", 0.95),
        ("exhausted", "3", 3.0),
    ],
)
def test_shares_may_be_percent_and_numbers_text(rule, value, bound):
    assert getattr(ValidityRules.of({rule: value}), rule) == pytest.approx(bound)


def test_seconds_are_told_as_people_say_them():
    assert format_seconds([3]) == "second 3"
    assert format_seconds([3, 4, 5, 9]) == "seconds 3–5 and 9"
    assert format_seconds(range(0, 20, 2)) == "seconds 0, 2, 4, 6, 8 and 5 more"
    assert consecutive([1, 2, 3, 5, 6, 8, 9, 10, 11], 3) == [1, 2, 3, 8, 9, 10, 11]
