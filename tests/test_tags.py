"""Tags tell series apart in limits, tables, the report; their number is bounded, and the bound is said."""

import pytest
from scenes import once

from chaperon import iterations
from chaperon.measure.caps import KEYS, TAGS_CAPPED
from chaperon.measure.meter import with_tags
from chaperon.report.breakdown import by_tags, split


def counts(report, name="GET /"):
    return {frozenset(tags.items()): row.count for tags, row in by_tags(report) if row.name == name}


def test_a_request_has_the_tags_it_is_given(target):
    def visit(session):
        session.get("/", tags={"kind": "search"})
        session.get("/", tags={"kind": "search"})
        session.get("/", tags={"kind": "list", "page": 2})
        session.get("/")

    report = once(target, visit)

    assert counts(report) == {frozenset({("kind", "search")}): 2, frozenset({("kind", "list"), ("page", "2")}): 1}
    assert report["GET /"].count == 4


def test_whatever_is_measured_in_a_tagged_block_has_its_tags(target):
    def visit(session):
        with session.tagged(area="checkout"):
            session.get("/")
            session.http.get("/")
            session.record("basket", 3)
            session.check("sane", True)
            with session.measure("pay"):
                pass
        session.get("/")

    report = once(target, visit)

    parts = {row.name: row.count for row in split(report, "area")["checkout"]}
    assert parts == {"GET /": 2, "basket": 1, "check sane": 1, "call pay": 1}
    assert report["GET /"].count == 3


def test_blocks_nest_and_the_nearest_tag_wins(target):
    def visit(session):
        with session.tagged(area="shop", kind="page"):
            with session.tagged(kind="search"):
                session.get("/", tags={"kind": "deep"})
                session.get("/")
            session.get("/")

    report = once(target, visit)

    assert {value: rows[0].count for value, rows in split(report, "kind").items() if value != "–"} == {
        "deep": 1, "page": 1, "search": 1,
    }  # fmt: skip
    assert split(report, "area")["shop"][0].count == 3


def test_a_block_that_raises_leaves_no_tags_behind(target):
    def visit(session):
        with pytest.raises(ValueError, match="oh"), session.tagged(area="a"):
            raise ValueError("oh")
        session.get("/")

    assert counts(once(target, visit)) == {}


def test_a_task_has_the_tags_of_when_it_was_spawned_and_its_own(target):
    def beside(session):
        with session.tagged(who="child"):
            session.get("/")

    def visit(session):
        with session.tagged(area="a"):
            session.spawn(beside)
        session.get("/")
        session.join("beside")

    report = once(target, visit)

    assert counts(report) == {frozenset({("area", "a"), ("who", "child")}): 1}


def test_a_limit_speaks_of_a_tag(target):
    def visit(session):
        session.get("/status/500", name="page", tags={"kind": "broken"})
        session.get("/", name="page", tags={"kind": "fine"})

    report = once(target, visit, limits=["errors(page {kind=fine}) == 0", "errors(page {kind=broken}) < 50%"])

    assert [limit.held for limit in report.limits] == [True, False]


def test_tags_of_one_visit_do_not_reach_the_next(target):
    def visit(session):
        session.get("/")
        if session.visit.number == 0:
            session.tagged(left="open").__enter__()

    assert counts(once(target, visit, load=iterations(3))) == {}


@pytest.mark.long
def test_too_many_tags_are_counted_without_them_and_it_is_said(target):
    def visit(session):
        for i in range(KEYS + 50):
            with session.tagged(user=i):
                session.record("basket", 1)

    report = once(target, visit)

    assert report["basket"].count == KEYS + 50
    assert report.notes[TAGS_CAPPED] > 40


def test_tags_are_text_of_bounded_length():
    (pair,) = with_tags((), {"a" * 500: "b" * 500})

    assert [len(part) for part in pair] == [100, 100]
