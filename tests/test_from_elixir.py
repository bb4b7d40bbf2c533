"""What went wrong in the Elixir original goes right here, where no other test shows it."""

import gzip
import json

import pytest
from scenes import errors_of, once, simulated

from chaperon import Environment, LoadError, PlanError, Scenario, Verdict, iterations, run, step, users


def test_a_body_is_raw_or_a_form_or_json_or_zipped_json_or_files(target):
    def sends(session):
        session.post("/raw", data=b"\x00\x01")
        session.post("/form", data={"a": "ä"})
        session.post("/json", json=[])
        session.post("/zipped", data=gzip.compress(json.dumps({"a": 1}).encode()), headers={"Content-Encoding": "gzip"})
        session.put("/files", files={"picture": ("p.png", b"png")})
        session.delete("/none")

    once(target, sends)

    raw, form, empty, zipped, files, none = target.bodies
    assert (raw, form, empty, none) == (b"\x00\x01", b"a=%C3%A4", b"[]", b"")
    assert json.loads(gzip.decompress(zipped)) == {"a": 1}
    assert b'filename="p.png"' in files
    assert target.types[2] == "application/json"


@pytest.mark.parametrize("status", [299, 599, 600, 799, 999])
def test_no_status_is_too_odd_to_be_counted(target, status):
    report = once(target, lambda session: session.get(f"/status/{status}"))

    assert report[f"GET /status/{status}"].errors == (status >= 400)
    assert report.visits.done == 1


def test_a_thousand_failures_count_as_a_thousand(dead_port):
    def knocks(session):
        for _ in range(1000):
            try:
                session.get("/")
            except OSError:
                session.assign(failures=session.assigned.get("failures", 0) + 1)
        session.count("kept", session.assigned.failures)

    report = once(f"http://127.0.0.1:{dead_port}", knocks)

    assert errors_of(report) == {("GET /", "connect refused"): 1000}
    assert report["kept"].total == 1000


def test_an_answer_that_cannot_be_decoded_is_an_error_of_the_step(target):
    report = once(target, lambda session: session.get("/").json())

    assert errors_of(report) == {("step <lambda>", "JSONDecodeError"): 1}
    assert report["GET /"].errors == 0


def test_cookies_add_up_and_go_where_they_belong(target):
    def visits(session):
        session.get("/cookie/a")
        session.get("/cookie/b")
        session.get("/both")
        session.get(f"{target.url.replace('127.0.0.1', 'localhost')}/elsewhere")
        session.http.cookies.clear()
        session.get("/none")

    once(target, visits)

    both, elsewhere, none = target.cookies[2:]
    assert sorted(both.split("; ")) == ["a=1", "b=1"]
    assert (elsewhere, none) == (None, None)


def test_query_strings_stand_in_no_name_whatever_the_method(target):
    def asks(session):
        for verb in (session.get, session.post, session.put, session.delete):
            verb("/search?fixed=1", params={"q": ["a", "b"]})

    report = once(target, asks)

    assert {row.name for row in report.rows if row.kind == "http"} == {
        "GET /search",
        "POST /search",
        "PUT /search",
        "DELETE /search",
    }
    assert target.queries[0] == "fixed=1&q=a&q=b"


def test_an_environment_sets_the_timeout_of_every_request(target):
    report = once(target, lambda session: session.get("/slow"), timeout="50ms")

    assert errors_of(report) == {("GET /slow", "timeout"): 1}


def test_an_abort_in_init_skips_the_steps_and_cleanup_does_its_work(target):
    scenario = Scenario(
        lambda session: session.get("/step"),
        init=lambda session: session.abort("not today"),
        cleanup=lambda session: session.get("/cleanup"),
        name="shop",
    )

    report = once(target, scenario=scenario)

    assert target.asked == ["GET /cleanup"]
    assert report.visits.interrupted == 1


@pytest.mark.parametrize("ends", ["fault", "abort", "timeout"])
def test_cleanup_runs_after_whatever_ended_the_visit(target, ends):
    def work(session):
        if ends == "fault":
            raise RuntimeError
        if ends == "abort":
            session.abort("enough")
        session.sleep(60)

    once(target, scenario=Scenario(work, cleanup=lambda s: s.get("/cleanup"), name="shop", timeout="50ms"))

    assert target.asked == ["GET /cleanup"]


def test_a_cleanup_that_never_ends_is_given_up():
    report = simulated(scenario=Scenario(lambda s: None, cleanup=lambda s: s.sleep("1h"), name="shop"))

    assert errors_of(report) == {("step cleanup", "StepTimeout"): 1}
    assert report.duration == pytest.approx(10)
    assert report.visits.done == 1


def test_one_session_that_times_out_costs_nobody_else_anything():
    def work(session):
        session.record("seen", 1)
        if session.visit.user == 1:
            session.sleep("1h")

    report = simulated(scenario=Scenario(work, name="shop", timeout=2), load=users(4))

    assert (report.visits.done, report.visits.interrupted) == (3, 1)
    assert report["seen"].count == 4


def test_every_session_counts_in_one_series(target):
    report = once(target, lambda session: session.get("/"), load=users(8))

    assert report["GET /"].count == 8


def test_percentiles_lie_between_the_least_and_the_greatest():
    report = simulated(lambda session: session.record("size", 100 + session.visit.user), load=users(2))

    for percent in (0, 1, 10, 50, 90, 99.999, 100):
        assert 100 <= report["size"].good.quantile(percent / 100) <= 101
    assert (report["size"].min, report["size"].mean, report["size"].max) == (100, 100.5, 101)


def test_the_rules_of_an_environment_are_not_lost_on_the_way(target):
    environment = Environment(
        target.url,
        scenarios=[run(Scenario(lambda s: s.get("/"), name="s"))],
        metrics={"^step": None},
        config={"a": 1},
    )

    report = environment.adapt(config={"b": 2}, seed=3).execute()

    assert {row.name for row in report.rows} == {"GET /", "visit"}


def test_a_load_that_makes_no_sense_is_refused_before_anything_is_sent():
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(PlanError):
            users(wrong)
    with pytest.raises(LoadError, match="nothing to run"):
        Environment(scenarios=[]).execute()


def test_a_name_no_task_bears_is_signalled_by_nobody():
    def signals(session):
        for task in session.tasks.named("nobody"):
            task.signal("x")
        session.spawn(lambda child: child.wait_signal("x"), task="one")
        session.spawn(lambda child: child.wait_signal("x"), task="one")
        for task in session.tasks.named("one"):
            task.signal("x")
        assert session.join("one") == ["x", "x"]

    assert simulated(signals).verdict is Verdict.PASS


def test_a_step_is_tried_again_and_every_attempt_is_kept():
    tries = []

    @step(retries=2, timeout="1s")
    def slow_at_first(session):
        tries.append(1)
        session.record("tried", len(tries))
        if len(tries) < 3:
            session.sleep(60)

    report = simulated(slow_at_first)

    assert report["tried"].count == 3
    assert (report["step slow_at_first"].count, report["step slow_at_first"].errors) == (3, 2)
    assert report.visits.done == 1


def test_what_is_measured_is_finer_than_a_millisecond(target):
    report = once(target, lambda session: session.get("/"), load=iterations(20))

    row = report["GET /"]
    assert 0 < row.min <= row.mean <= row.max
    assert row.min % 0.001 != 0


def test_whatever_is_called_for_somebody_takes_its_keywords(target):
    def calls(session):
        session.spread(session.put, "/spread", json={"a": 1}, rate=3, per="30ms", name="puts")
        session.retry(session.put, "/retry", json={"a": 2}, attempts=2)
        session.repeat(session.put, 2, "/repeat", json={"a": 3})
        session.spawn(session.put, "/spawn", json={"a": 4}, name="PUT named", task="spawned")
        session.join("puts", "spawned")

    report = once(target, calls)

    assert sorted(target.asked) == sorted(3 * ["PUT /spread"] + ["PUT /retry"] + 2 * ["PUT /repeat"] + ["PUT /spawn"])
    assert sorted(json.loads(body)["a"] for body in target.bodies) == [1, 1, 1, 2, 3, 3, 4]
    assert report["PUT named"].count == report["task spawned"].count == 1
    assert report["task puts"].count == 3
