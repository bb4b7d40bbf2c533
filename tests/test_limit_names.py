"""Any name can stand in a limit: literal names first, then what separates classes of error, scenarios, tags."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperon.measure.sample import WARM_UP, Key
from chaperon.measure.series import Series
from chaperon.report.limits.limit_parser import parse
from chaperon.report.limits.selection import readings
from chaperon.report.totals import Totals


def totals_of(*keys, took=0.1):
    found = {}
    for key in keys:
        series = found[key] = Series()
        series.add([(key, 0.0, took, None, 0, None, None)] * 200)
    return Totals(found, {}, [], {}, [], {})


def judged(limit, *keys):
    return parse(limit).evaluate(totals_of(*keys), 10.0)


ODD = [
    "API: list users",
    "check in desk",
    "GET /users/{id=1}",
    '{"scenario": "cash", "path": "/cash"}',
    "OData /Products(1)",
    "a : b in c {d=e}",
    "it's 100 % (of it)",
    "GET /a=b&c={d}",
    'say "hi"',
]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_name_with_what_also_separates_is_found(name, quoted):
    shown = json.dumps(name) if quoted else name
    key = Key("shop", name)

    assert judged(f"max({shown}) < 5s", key).held
    assert judged(f"errors({shown}) < 1%", key).held
    assert judged(f"p95({shown} in shop) < 5s", key).held
    assert not judged(f"max({shown} in other) < 5s", key).held


@pytest.mark.parametrize("limit", ["p95 < 1s", "max(GET /) < 1s", "errors(GET / in shop) < 1%", "rate > 1/s"])
def test_a_limit_whose_samples_are_all_of_the_warm_up_says_so(limit):
    warm, steady = Key("shop", "GET /", phase=WARM_UP), Key("shop", "GET /", phase="steady")
    note = "all its samples are of the warm-up, which limits leave out"

    found = judged(limit, warm)

    assert (found.held, found.shown, found.note) == (False, "no data", note)
    assert judged(limit, warm, steady).note is None
    assert judged("max(GET /x) < 1s", warm).note == "no series has this name; similar names: GET /"
    assert "there was no phase 'steady'" in parse("p95 < 1s during steady").evaluate(totals_of(warm), 10.0).note


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_a_quoted_name_is_always_taken_as_it_is(name):
    assert readings(json.dumps(name))[0].series == name


def test_a_name_that_there_is_comes_before_what_it_may_mean_otherwise():
    plain, odd = Key("shop", "GET /"), Key("shop", "GET /: timeout")
    limit = parse("count(GET /: timeout) >= 1")

    assert limit.reading_for([plain, odd]).selection.series == "GET /: timeout"
    other = limit.reading_for([plain]).selection
    assert (other.series, other.error) == ("GET /", "timeout")


def test_a_limit_without_data_names_what_there_is_near():
    result = judged("p95(GET /prodcuts) < 1s", Key("shop", "GET /products"), Key("shop", "POST /cart"))

    assert not result.held
    assert "similar names: GET /products" in result.note
    assert "there are GET /products" in judged("p95(xyz) < 1s", Key("shop", "GET /products")).note


def test_the_unit_is_no_part_of_a_name():
    assert judged("p95(waiting) < 1s", Key("shop", "waiting (s)", "value")).held


@pytest.mark.parametrize(
    ("word", "kind"), [("checks", "check"), ("tasks", "task"), ("steps", "step"), ("visits", "visit")]
)
def test_a_word_stands_for_all_series_of_a_kind(word, kind):
    keys = [Key("shop", "GET /"), Key("shop", f"{kind} one", kind), Key("api", f"{kind} two", kind)]

    assert judged(f"count({word}) == 400", *keys).held
    assert judged(f"errors({word}) < 1%", *keys).held
    assert judged(f"count({word} in shop) == 200", *keys).held
    assert judged("count(requests) == 200", *keys).held


def test_tags_alone_need_no_brackets():
    keys = [Key("shop", "GET /", tags=(("kind", "search"),)), Key("shop", "GET /")]

    assert judged("count {kind=search} == 200", *keys).held
    assert judged("p95 {kind=search} < 1s", *keys).held
