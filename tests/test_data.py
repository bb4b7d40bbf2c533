"""Rows are read once, distinguished by their order, and unique ones dealt once."""

import json
import sys
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scenes import simulated

from chaperon import Environment, LoadError, Scenario, Verdict, feed, iterations, rate, run, users
from chaperon.errors import UsageError
from chaperon.execution.loader import load as load_file
from chaperon.load.feeder import UniqueRows, ordered, position
from chaperon.load.share import ShareProgress, deal, progress_of
from chaperon.measure.window import OUTCOMES, VisitCounts
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.csv import CsvOutput
from chaperon.report.outputs.json import as_dict
from chaperon.report.outputs.junit import junit_text
from chaperon.report.outputs.markdown import markdown_text


def taken(rows, load, seed=0, takes=1):
    """Return (user, visit, row) of every take, in the order of users and visits."""
    seen = []

    def takes_rows(session):
        for _ in range(takes):
            seen.append((session.visit.user, session.visit.number, session.take(rows)))
            session.sleep(0.1 + session.random.random())

    report = simulated(takes_rows, load=load, seed=seed)
    return sorted(seen), report


def rows_of(seen):
    return [row for *_, row in seen]


def test_users_take_rows_in_turns():
    seen, _ = taken(feed(range(100)), users(3, hold=4))

    assert all(row % 3 == user for user, _, row in seen)
    for user in range(3):
        assert [row for u, _, row in seen if u == user][:3] == [user, user + 3, user + 6]


def test_an_iteration_takes_the_row_of_its_number():
    seen, report = taken(feed(range(50), name="people"), iterations(50, users=7))

    assert [(number, row) for _, number, row in sorted(seen, key=lambda s: s[1])] == [(i, i) for i in range(50)]
    assert report.notes["of 50 rows of people used"] == 50


def test_an_arrival_takes_the_row_of_its_number_and_a_second_take_the_next():
    seen, _ = taken(feed(range(100)), rate(10, hold=1), takes=2)

    assert sorted((number, row) for _, number, row in seen) == sorted(
        (number, number + take) for number in range(10) for take in range(2)
    )


def test_a_circular_feed_begins_again_and_a_sequence_ends_its_users():
    around, _ = taken(feed(list("abc"), order="circular"), iterations(7))
    ended, report = taken(feed(list("abc"), name="letters"), iterations(7, users=2))

    assert rows_of(around) == list("abcabca")
    assert sorted(rows_of(ended)) == list("abc")
    assert report.verdict is Verdict.PASS
    assert report.visits == VisitCounts(planned=7, done=3, no_row=2, dropped=2)
    assert report.errors == ()
    assert report["step takes_rows"].errors == 0
    assert report.notes["visits ended because letters had no row left"] == 2


def test_a_shuffle_deals_each_row_once_before_any_again_by_the_seed():
    first, _ = taken(feed(range(10), order="shuffle", name="n"), iterations(20), seed=1)
    again, _ = taken(feed(range(10), order="shuffle", name="n"), iterations(20, users=3), seed=1)
    other, _ = taken(feed(range(10), order="shuffle", name="n"), iterations(20), seed=2)

    by_number = [row for _, _, row in sorted(first, key=lambda s: s[1])]
    assert sorted(by_number[:10]) == sorted(by_number[10:]) == list(range(10))
    assert by_number[:10] != by_number[10:]
    assert by_number == [row for _, _, row in sorted(again, key=lambda s: s[1])]
    assert by_number != [row for _, _, row in sorted(other, key=lambda s: s[1])]


def test_random_rows_come_from_the_seed_and_never_end():
    first, _ = taken(feed(range(5), order="random"), iterations(100), seed=1)
    again, _ = taken(feed(range(5), order="random"), iterations(100, users=4), seed=1)

    assert sorted((n, row) for _, n, row in first) == sorted((n, row) for _, n, row in again)
    assert set(rows_of(first)) == set(range(5))


@pytest.mark.parametrize("load", [users(10, hold=60), iterations(500, users=10), rate(20, hold=10)], ids=str)
def test_unique_rows_go_out_once_in_a_run_to_whoever_asks(load):
    people = feed([{"n": i} for i in range(40)], order="unique", name="people")

    seen, report = taken(people, load)

    assert sorted(row["n"] for row in rows_of(seen)) == list(range(40))
    assert report.notes["of 40 rows of people used"] == 40
    assert report.visits.balanced
    assert report.errors == ()


def test_two_entries_share_the_unique_rows_of_one_feed():
    people = feed(range(30), order="unique")
    seen = []
    entries = [
        run(Scenario(lambda s: seen.append(s.take(people)), name=name), iterations(20, users=2)) for name in "ab"
    ]

    Environment(scenarios=entries).execute()

    assert sorted(seen) == list(range(30))


def test_the_next_run_begins_with_all_rows_again():
    people = feed(range(3), order="unique")

    runs = [rows_of(taken(people, iterations(3))[0]) for _ in range(2)]

    assert runs == [[0, 1, 2]] * 2


def test_a_row_taken_in_init_is_the_users_own_and_an_empty_feed_ends_him_there():
    people = feed([{"name": n} for n in "ab"], order="unique")
    seen = []
    scenario = Scenario(
        lambda s: seen.append((s.visit.user, s.assigned.me["name"])),
        init=lambda s: s.assign(me=s.take(people)),
        name="shop",
    )

    report = simulated(scenario=scenario, load=users(3, hold=2, think=1))

    assert sorted(seen) == [(0, "a"), (0, "a"), (1, "b"), (1, "b")]
    assert (report.visits.done, report.visits.no_row, report.visits.balanced, report.errors) == (4, 1, True, ())
    assert report["step init"].count == 2


def test_a_task_that_finds_no_row_ends_its_user():
    nothing = feed([1], order="unique")

    def takes(session):
        session.take(nothing)
        session.spawn(lambda child: child.take(nothing), task="takes")
        session.sleep("1h")

    report = simulated(takes)

    assert (report.visits.no_row, report.duration) == (1, pytest.approx(0))
    assert report.reasons == ("no visit was done: 1 found no row left",)


def _in_a_step(session, feed):
    session.take(feed)


def _in_a_call(session, feed):
    with session.measure("choose"):
        session.take(feed)


def _in_a_kind_of_its_own(session, feed):
    with session.measure("PRODUCE orders", kind="kafka"):
        session.take(feed)


def _in_a_task(session, feed):
    session.spawn(lambda child: child.take(feed), task="chooses")
    session.join("chooses")


def _in_a_scenario_within(session, feed):
    session.run(Scenario(lambda inner: inner.take(feed), name="inner"))


def _in_a_retry(session, feed):
    session.retry(lambda each: each.take(feed), attempts=3)


def _where_exceptions_are_caught(session, feed):
    try:
        session.take(feed)
    except Exception:
        session.log.info("no row")


@pytest.mark.parametrize(
    "take", [_in_a_step, _in_a_call, _in_a_kind_of_its_own, _in_a_task, _in_a_scenario_within, _in_a_retry,
             _where_exceptions_are_caught],
)  # fmt: skip
@pytest.mark.parametrize("load", [users(1, hold=9), iterations(9, users=3), rate(3, hold=3)], ids=str)
def test_a_visit_without_a_row_is_in_no_time(take, load):
    rows = feed(range(4), order="unique")

    def looks(session):
        session.sleep(0.001)

    def takes(session):
        take(session, rows)
        session.sleep(1.0)

    report = simulated(looks, takes, load=load)

    ledger = report.visits
    assert (ledger.done, ledger.failed, ledger.interrupted) == (4, 0, 0)
    assert ledger.no_row >= 1
    assert ledger.balanced
    assert (report.errors, report.verdict) == ((), Verdict.PASS)
    assert report["visit"].count == report["step takes"].count == 4
    assert report["visit"].service.low == pytest.approx(1.001)
    assert report["step looks"].count == 4 + ledger.no_row
    assert {row.count for row in report.rows if row.name.startswith(("call", "task", "PRODUCE"))} <= {4}


def test_the_page_adds_up_every_outcome():
    script = files("chaperon.report.page").joinpath("tables.js").read_text()

    assert f"row.planned === {' + '.join(f'row.{outcome}' for outcome in OUTCOMES)}" in script
    assert f"[{', '.join(f'{chr(34)}{fate}{chr(34)}' for fate in ('planned', *OUTCOMES))}]" in script


def test_the_outputs_have_visits_without_a_row(tmp_path):
    _, report = taken(feed(list("ab"), name="letters"), users(3))
    printed = StringIO()
    print_report(report, Console(file=printed))

    assert report.visits.outcomes == "2 done, 1 no row"
    assert as_dict(report)["ledger"] == [
        {"scenario": "shop", "planned": 3, "done": 2, "failed": 0, "interrupted": 0, "no_row": 1, "dropped": 0,
         "lost": 0, "waited": 0.0}
    ]  # fmt: skip
    assert sum(second["no_row"] for second in as_dict(report)["seconds"]) == 1
    assert "3 planned = 2 done, 1 no row" in markdown_text(report)
    assert "3 planned = 2 done, 1 no row" in printed.getvalue()
    assert "<failure" not in junit_text(report)
    output = CsvOutput(tmp_path)
    output.finish(report)
    assert (tmp_path / "ledger.csv").read_text().splitlines() == [
        "scenario,planned,done,failed,interrupted,no_row,dropped,lost", "shop,3,2,0,0,1,0,0"
    ]  # fmt: skip


def test_what_a_session_does_to_its_row_nobody_else_sees():
    people = feed([{"n": 0}], order="circular")

    def changes(session):
        row = session.take(people)
        assert row["n"] == 0
        row["n"] = 1

    assert simulated(changes, load=iterations(2)).visits.done == 2


def test_taking_from_something_else_says_what_it_takes():
    def takes(session):
        with pytest.raises(UsageError, match="what feed"):
            session.take([1, 2])

    assert simulated(takes).visits.done == 1


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 3), st.randoms(use_true_random=False))
def test_workers_together_deal_each_row_once_whoever_holds_which_share(size, shares, entries, chance):
    loads = [(f"e{i}", rate(1, hold=1) if i % 2 else users(20)) for i in range(entries)]
    held = [{}, {}, {}]
    workers = [UniqueRows(shares) for shares in held]
    for share in deal(loads, shares):
        held[chance.randrange(3)][share.name] = ShareProgress(share)

    dealt = []
    for worker in workers:
        while (row := worker.next("feed", size)) is not None:
            dealt.append(row)

    assert sorted(dealt) == list(range(size))


@given(st.integers(1, 60), st.integers(1, 7), st.integers(0, 20))
def test_a_share_that_is_taken_over_goes_on_where_it_was(size, shares, before):
    progress = progress_of(deal([("e", rate(1, hold=1))], shares))
    first = UniqueRows(progress)
    dealt = [row for _ in range(before) if (row := first.next("feed", size)) is not None]
    second = UniqueRows(progress_of(replace(known.share, rows=known.rows) for known in progress.values()))
    while (row := second.next("feed", size)) is not None:
        dealt.append(row)

    assert sorted(dealt) == list(range(size))


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 6))
def test_the_queue_is_dealt_without_gap_or_double_to_a_crowd(size, crowd, rounds):
    places = [position(user, 0, turn, crowd) for user in range(crowd) for turn in range(rounds)]

    assert sorted(places) == list(range(crowd * rounds))
    rows = Counter(ordered("shuffle", place, size, "seed") for place in range(size * rounds))
    assert rows == dict.fromkeys(range(size), rounds)


def test_a_file_is_found_beside_the_scenario(tmp_path, monkeypatch):
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "people.csv").write_text('name,city\nAda,London\n\nGrace,"New York, NY"\n', encoding="utf-8-sig")
    (folder / "shop_with_people.py").write_text(
        "from chaperon import feed, step\npeople = feed('people.csv')\n@step\ndef buy(session):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)

    load_file(str(folder / "shop_with_people.py"))

    people = sys.modules["shop_with_people"].people
    assert people.rows == [{"name": "Ada", "city": "London"}, {"name": "Grace", "city": "New York, NY"}]
    assert repr(people) == "<Feed people.csv of 2 rows, sequential>"


def test_lines_of_json_and_lists_of_json_are_rows(tmp_path):
    rows = [{"a": 1}, {"a": [2]}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    (tmp_path / "a.json").write_text(json.dumps(rows))

    assert feed(tmp_path / "a.jsonl").rows == feed(tmp_path / "a.json").rows == rows
    assert feed(iter(rows), name="mine").rows == rows


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "a,b\n1,2\n3\n", "line 3: 1 cell under 2 columns"),
        ("a.csv", "a,a\n1,2\n", "line 1: two columns have one name"),
        ("a.csv", 'a\n"open', "line 2"),
        ("a.csv", "a,b\n", "has no rows"),
        ("a.csv", "", "has no rows"),
        ("a.jsonl", '{"a": 1}\nnot json\n', "line 2: not JSON"),
        ("a.json", '{"a": 1}', "must hold a list"),
        ("a.txt", "a", r"must end in \.csv"),
    ],
)
def test_a_file_that_is_no_feed_is_refused_with_the_place(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)

    with pytest.raises(LoadError, match=says):
        feed(tmp_path / name)


def test_what_is_wrong_with_a_feed_is_said(tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"name\n\x01\x02\xff\n")

    for source, says in (
        ("nowhere.csv", "no such file: nowhere.csv"),
        (tmp_path / "binary.csv", "cannot read.*line 2"),
    ):
        with pytest.raises(LoadError, match=says):
            feed(source)
    with pytest.raises(LoadError, match="must be one of sequential"):
        feed([1], order="sorted")


PEOPLE = """
from chaperon import Environment, Scenario, feed, iterations, run
people = feed([{"n": n} for n in range(40)], order="unique")
def greet(session):
    session.get(f"/row/{session.take(people)['n']}", name="/row/:n")
environment = Environment(scenarios=[run(Scenario(greet, name="greet"), iterations(60, users=20))])
"""


def test_two_processes_deal_each_unique_row_once(process, target, tmp_path):
    (tmp_path / "greet.py").write_text(PEOPLE)

    done = process("local", "greet.py", "--processes", 2, "--url", target.url, "--json", "out.json")

    report = json.loads((tmp_path / "out.json").read_text())
    used = report["notes"]["of 40 rows of feed used"]
    assert done.returncode == 0, done.stderr
    assert len(set(target.asked)) == len(target.asked) == used
    assert 20 <= used <= 40
