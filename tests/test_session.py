"""Scenarios run against a real server, and what is reported is what the server saw."""

import sys

import gevent
import pytest
import requests
from gevent.event import Event
from scenes import errors_of, once
from unjudged import UNJUDGED
from waits import forever

from chaperon import (
    ConfigMissing,
    Environment,
    JoinTimeout,
    LoadError,
    PlanError,
    Scenario,
    Service,
    UsageError,
    Verdict,
    iterations,
    measured,
    metric,
    rate,
    run,
    step,
    users,
)
from chaperon.errors import TaskMissing

REFUSED_TIMES = {
    "call": "ValueError: Timeout value connect was 2 parsecs, but it must be an int, float or None",  # as of `requests`
    "service": "PlanError: timeout: '2 parsecs' is not a time span: write 30s, 5m, 250ms or 1m30s",
}


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"timeout": "20ms"}, "ReadTimeout"),
        ({"timeout": ("5s", "20ms")}, "ReadTimeout"),
        ({"deadline": "20ms"}, "DeadlineExceeded"),
        ({"deadline": "20ms", "stream": True}, "DeadlineExceeded"),
        ({"max_body": 3}, "BodyTooLarge"),
        ({"timeout": "2 parsecs"}, REFUSED_TIMES),
        (
            {"deadline": "soon", "stream": True},
            "PlanError: deadline: 'soon' is not a time span: write 30s, 5m, 250ms or 1m30s",
        ),
        (
            {"deadline": [1]},
            "PlanError: deadline: [1] is not a time span: write a number of seconds or text such as '30s'",
        ),
        (
            {"max_body": "5MB"},
            "UsageError: max_body= takes a number of bytes such as 5_000_000, or None for no bound; got '5MB'",
        ),
        (
            {"max_body": -1, "stream": True},
            "UsageError: max_body= takes a number of bytes such as 5_000_000, or None for no bound; got -1",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["call", "service"])
def test_the_limits_of_a_call_and_of_a_service_are_spans_and_bytes(target, limits, error, place):
    settings = {name: value for name, value in limits.items() if name != "stream"}
    given = {**limits} if place == "call" else {"service": "limited", "stream": "stream" in limits}
    kept = []

    def ask(session):
        try:
            session.get("/" if "max_body" in limits else "/slow", **given).raw.read()
        except Exception as exc:
            kept.append(exc)
            raise

    try:
        services = {"limited": Service(target.url, **settings if place == "service" else {})}
    except (PlanError, UsageError) as exc:
        kept.append(exc)
    else:
        Environment(target.url, services=services, scenarios=[run(Scenario(ask), iterations(1))]).execute()

    (exc,) = kept
    assert f"{type(exc).__name__}: {exc}".startswith(error[place] if isinstance(error, dict) else error)


def test_what_is_reported_is_what_the_server_saw(target):
    def browse(session):
        session.get("/")
        session.post("/login", data={"user": "admin"})
        session.put("/baz?x=1", json={"data": "value"})

    report = once(target, browse, load=iterations(50, users=5))

    assert report.verdict is Verdict.PASS, report.reasons
    assert {row.name: row.count for row in report.rows if row.kind == "http"} == {
        "GET /": target.count("GET /"),
        "POST /login": target.count("POST /login"),
        "PUT /baz": target.count("PUT /baz"),
    }
    assert report.requests.count == len(target.asked) == 150
    assert report["step browse"].count == report["visit shop"].count == 50


def test_an_open_load_sends_each_arrival_that_it_does_not_drop(target):
    report = once(target, lambda session: session.get("/"), load=rate(100, hold=1))

    (counts,) = report.ledger.values()
    assert counts.planned == 100
    assert target.count("GET /") == report["GET /"].count == counts.done == 100 - counts.dropped > 0
    assert report["visit"].response.count == 100
    assert report["visit"].response.total >= report["visit"].good.total


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_every_verb_reaches_the_server(target, verb):
    report = once(target, lambda session: getattr(session, verb)("/thing"))

    assert target.asked == [f"{verb.upper()} /thing"]
    assert report[f"{verb.upper()} /thing"].errors == 0


def test_an_unknown_keyword_is_a_type_error_that_names_it(target):
    report = once(target, lambda session: session.get("/", jsno={}))

    (error,) = report.errors
    assert (error.error, "jsno" in error.sample) == ("TypeError", True)
    assert target.asked == []


def test_a_path_is_joined_to_the_base_by_one_slash_and_a_whole_url_is_taken_as_it_is():
    service = Service("http://host/api/")

    assert service.locate("/users") == service.locate("users") == "http://host/api/users"
    assert service.locate("http://other/x") == "http://other/x"
    assert service.locate("/go?to=http://other") == "http://host/api/go?to=http://other"
    assert service.label("GET", "/users?page=2#top") == "GET /users"
    assert service.label("GET", "http://host/api/users") == "GET /users"
    assert service.label("GET", "http://me:secret@other/x?y") == "GET http://other/x"


def test_cookies_stay_with_their_session(target):
    def steps(session):
        session.post("/login")
        session.get("/")

    once(target, steps, load=users(3))

    assert target.cookies.count("who=admin") == 3


def test_a_name_groups_requests(target):
    report = once(target, lambda s: [s.get(f"/users/{i}", name="/users/:id") for i in range(5)])

    assert report["/users/:id"].count == 5


def test_a_status_of_400_or_more_is_an_error_of_the_request_alone(target):
    report = once(target, lambda session: session.get("/status/503"))

    assert report["GET /status/503"].errors == 1
    assert report["step <lambda>"].errors == report["visit"].errors == 0
    assert errors_of(report) == {("GET /status/503", "http 503"): 1}


@pytest.mark.parametrize(
    ("expect", "status", "errors"),
    [
        (404, 404, 0),
        ({200, 404}, 404, 0),
        (404, 200, 1),
        (lambda response: response.text == "hello", 200, 0),
        (lambda response: False, 200, 1),
    ],
)
def test_expect_says_what_is_good(target, expect, status, errors):
    report = once(target, lambda session: session.get(f"/status/{status}", expect=expect))

    assert report[f"GET /status/{status}"].errors == errors


def test_a_refused_connection_is_named_once_and_counted_everywhere(dead_port):
    def knock(session):
        session.get("/")

    report = once(f"http://127.0.0.1:{dead_port}", knock, load=iterations(3))

    assert errors_of(report) == {("GET /", "connect refused"): 3}
    assert "Max retries" not in report.errors[0].sample
    assert "Connection refused" in report.errors[0].sample
    assert report["step knock"].errors == report["visit"].errors == 3
    assert report.visits.failed == 3
    assert report.verdict is Verdict.FAIL


def test_a_timeout_is_counted_like_any_other_outcome(target):
    report = once(target, lambda session: session.get("/slow", timeout=0.05))

    assert errors_of(report) == {("GET /slow", "timeout"): 1}
    assert report["GET /slow"].service.censored.high >= 0.05


def test_a_name_that_does_not_resolve_is_a_dns_error():
    report = once("http://nowhere.invalid", lambda session: session.get("/"))

    assert errors_of(report) == {("GET /", "dns"): 1}


def test_redirects_are_one_sample_and_counted_beside_it(target):
    report = once(target, lambda session: session.get("/redirect"))

    assert target.asked == ["GET /redirect", "GET /landed"]
    assert report["GET /redirect"].count == 1
    assert report["redirects GET /redirect"].total == 1
    assert "GET /landed" not in report


def test_a_streamed_response_ends_when_its_body_is_read_or_closed(target):
    def read(session):
        response = session.get("/read", stream=True)
        assert "".join(response.iter_content(2, decode_unicode=True)) == "hello"

    def left_open(session):
        session.get("/left", stream=True)

    report = once(target, read, left_open)

    assert report["GET /read"].bytes == 5
    assert (report["GET /read"].count, report["GET /left"].count) == (1, 1)


def test_an_sdk_written_on_requests_is_measured_too(target):
    def sdk(http: requests.Session):
        return http.get(f"{target.url}/sdk?q=1").text

    report = once(target, lambda session: sdk(session.http))

    assert report["GET /sdk"].count == 1


def test_services_have_their_own_base_and_headers_but_one_cookie_jar(target):
    services = {"api": Service(f"{target.url}/api", headers={"X-Key": "k"}), "plain": f"{target.url}/plain"}

    def both(session):
        session.post("/login")
        session.get("/x", service="api")
        session.get("/y", service="plain")

    once(target, both, services=services, headers={"X-Main": "m"})

    assert target.asked == ["POST /login", "GET /api/x", "GET /plain/y"]
    assert [h.get("HTTP_X_KEY") for h in target.headers] == [None, "k", None]
    assert [h.get("HTTP_X_MAIN") for h in target.headers] == ["m", None, None]
    assert target.cookies == [None, "who=admin", "who=admin"]


def test_a_default_service_of_ones_own_obeys_the_command_line(target):
    services = {"default": Service("http://nowhere", headers={"X-A": "a"}, transport="urllib3")}
    shop = Scenario(step(lambda session: session.get("/")), name="shop")
    environment = Environment(services=services, scenarios=[shop])

    report = environment.adapt(url=target.url, headers={"X-B": "b"}, timeout="5s", trust=UNJUDGED).execute()

    assert report.verdict is Verdict.PASS, report.reasons
    assert (target.headers[0]["HTTP_X_A"], target.headers[0]["HTTP_X_B"]) == ("a", "b")


def test_the_proxies_of_the_machine_are_left_alone_unless_wanted(target, monkeypatch, dead_port):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{dead_port}")
    monkeypatch.setenv("NO_PROXY", "")

    assert once(target, lambda s: s.get("/")).verdict is Verdict.PASS
    assert once(target, lambda s: s.get("/"), trust_env=True).verdict is Verdict.FAIL


def test_steps_and_measured_calls_are_timed_and_plain_functions_all_the_same(target):
    @measured
    def add(session, a, b=1):
        """Add."""
        return a + b

    @step(name="sum it")
    def total(session):
        assert add(session, 2, b=3) == 5

    report = once(target, total)

    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert report["step sum it"].count == report["call add"].count == 1


def test_a_step_is_repeated_and_retried_as_it_says(target):
    tries = []

    @step(repeat=2, retries=2)
    def shaky(session):
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")

    report = once(target, shaky)

    assert len(tries) == 4
    assert (report["step shaky"].count, report["step shaky"].errors) == (4, 2)
    assert report.visits.done == 1


def test_a_step_that_takes_too_long_is_stopped(target):
    @step(timeout="50ms")
    def stuck(session):
        forever()

    report = once(target, stuck)

    assert errors_of(report) == {("step stuck", "StepTimeout"): 1}


@pytest.mark.parametrize(
    ("policy", "second_steps", "visits"),
    [("next-visit", 0, 3), ("continue", 3, 3), ("stop-session", 0, 1), ("stop-run", 0, 1)],
)
def test_an_exception_ends_what_its_policy_says(target, policy, second_steps, visits):
    @step(on_error=policy)
    def breaks(session):
        raise RuntimeError("as asked")

    @step
    def second(session):
        pass

    report = once(target, breaks, second, load=iterations(3))

    assert report["step breaks"].count == visits
    assert (report["step second"].count if "step second" in report else 0) == second_steps
    assert report.visits.balanced
    assert errors_of(report)[("step breaks", "RuntimeError")] == visits


def test_one_exception_never_touches_another_session(target):
    def odd_ones_break(session):
        if session.visit.user % 2:
            raise RuntimeError
        session.get("/")

    report = once(target, odd_ones_break, load=users(10))

    assert (report.visits.done, report.visits.failed) == (5, 5)


def test_a_scenario_that_exits_ends_no_process(target):
    def leave(session):
        sys.exit(3)

    def spawns(session):
        session.spawn(leave)
        session.clock.sleep(0.01)

    report = once(target, spawns, leave, load=users(2))

    assert report.ledger["shop"].failed == 2
    assert (report["task leave"].errors, report["step leave"].errors) == (2, 2)
    assert {(e.series, e.error, e.count) for e in report.errors} == {
        ("task leave", "SystemExit", 2),
        ("step leave", "SystemExit", 2),
    }


def test_init_runs_once_a_session_and_cleanup_always(target):
    told = []
    scenario = Scenario(
        lambda session: session.assigned.fail and 1 / 0,
        init=lambda session: session.assign(fail=session.visit.user == 1),
        cleanup=lambda session: told.append(session.visit.user),
        name="shop",
    )

    report = once(target, scenario=scenario, load=iterations(10, users=2))

    assert sorted(told) == [0, 1]
    assert report["step init"].count == report["step cleanup"].count == 2


def test_a_failing_init_fails_its_visit_and_still_cleans_up(target):
    told = []
    scenario = Scenario(
        lambda session: session.get("/"),
        init=lambda session: 1 / 0,
        cleanup=lambda session: told.append("cleaned"),
        name="shop",
    )

    report = once(target, scenario=scenario)

    assert (report.visits.failed, told, target.asked) == (1, ["cleaned"], [])


def test_aborting_ends_the_session_as_interrupted_not_as_failed(target):
    def leave(session):
        session.abort("enough")

    report = once(target, leave, lambda session: session.get("/"), load=users(2))

    assert report.visits.interrupted == 2
    assert target.asked == []


def test_stopping_the_run_says_why(target):
    def leave(session):
        session.stop_run("found what I wanted")

    report = once(target, leave, load=users(1, hold=60))

    assert (report.verdict, report.reasons) == (Verdict.ABORTED, ("found what I wanted", "no visit was done"))


def test_tasks_run_beside_their_session_and_are_joined_by_name(target):
    seen = {}

    def work(child, n):
        child.assign(only="here")
        return n * 2

    def both(session):
        session.assign(shared=1)
        session.spawn(work, 1)
        session.spawn(work, 2)
        session.spawn(session.put, "/baz", json={}, task="baz")
        seen["works"] = session.join("work")
        seen["baz"] = session.join("baz").status_code
        seen["assigned"] = dict(session.assigned)

    report = once(target, both)

    assert seen == {"works": [2, 4], "baz": 200, "assigned": {"shared": 1}}
    assert (report["task work"].count, report["task baz"].count) == (2, 1)


def test_a_task_that_fails_hurts_only_who_joins_it(target):
    def fails(child):
        raise ValueError("in the task")

    def careless(session):
        session.spawn(fails)

    def careful(session):
        session.spawn(fails)
        with pytest.raises(ValueError, match="in the task"):
            session.join("fails")

    report = once(target, careless, careful)

    assert report.visits.done == 1
    assert errors_of(report) == {("task fails", "ValueError"): 2}


def test_tasks_nobody_joined_are_waited_for_grandchildren_too(target):
    def child(session):
        session.spawn(lambda grandchild: grandchild.get("/grand"), task="grand")

    once(target, lambda session: session.spawn(child, task="child"))

    assert target.asked == ["GET /grand"]


def test_joining_says_what_is_wrong(target):
    def wrong(session):
        with pytest.raises(TaskMissing, match="no task «nobody»"):
            session.join("nobody")
        joined = Event()
        session.spawn(lambda child: joined.wait(), task="long")
        with pytest.raises(JoinTimeout, match="«long»"):
            session.join("long", timeout=0.01)
        joined.set()

    assert once(target, wrong).visits.done == 1


def test_checks_and_custom_series_are_kept(target):
    def measure(session):
        assert session.check("sane", 1 + 1 == 2) is True
        assert session.check("has token", None) is False
        session.record("basket", 3)
        session.record("size", 10, unit="kB")
        session.count("sold", 2)
        session.gauge("level", -1.5)
        with session.measure("redis get", kind="redis") as m:
            m.bytes = 9
            m.fail("empty")

    report = once(target, measure, load=iterations(4))

    assert report["check has token"].errors == 4
    assert report["basket"].mean == 3
    assert report["size (kB)"].max == 10
    assert report["sold"].total == 8
    assert report["level"].last == -1.5
    assert (report["redis get"].errors, report["redis get"].bytes) == (4, 36)
    assert errors_of(report) == {("check has token", "check failed"): 4, ("redis get", "empty"): 4}


def test_an_environment_renames_leaves_out_and_derives_series(target):
    rules = [
        {r"/users/\d+": "/users/:id", "^step .*": None},
        metric("payload", lambda sample: sample.bytes, of="GET .*"),
    ]

    report = once(target, lambda s: [s.get(f"/users/{i}") for i in range(3)], metrics=rules)

    assert report["GET /users/:id"].count == 3
    assert not [row for row in report.rows if row.kind == "step"]
    assert (report["payload"].kind, report["payload"].count, report["payload"].max) == ("value", 3, 5)


def test_a_rule_for_series_that_fails_is_said_and_fails_nothing_else(target):
    rules = [lambda name: 1 / 0, metric("payload", lambda sample: None)]

    report = once(target, lambda s: s.get("/"), metrics=rules)

    assert report.verdict is Verdict.PASS, report.reasons
    assert report["GET /"].count == 1
    (name, value) = sorted(report.notes, reverse=True)
    assert "ZeroDivisionError: division by zero (test_session.py:" in name
    assert value.startswith("samples metric('payload') could not compute: TypeError")


@pytest.mark.parametrize(
    "wrong",
    [
        {"headers": "X: y"},
        {"headers": {"X": 5}},
        {"config": [1]},
        {"services": {"api": 5}},
        {"url": 5},
        {"scenarios": Scenario(print)},
    ],
    ids=str,
)
def test_an_environment_says_what_it_takes(wrong):
    with pytest.raises(LoadError, match="takes"):
        Environment(**wrong)


def test_config_is_merged_deeply_and_read_by_dotted_keys(target):
    seen = {}

    def look(session):
        seen["a.b"], seen["a.c"] = session.config["a.b"], session.config["a.c"]
        seen["default"] = session.config.get("x.y", "none")
        with pytest.raises(ConfigMissing, match=r"'a.b.c'"):
            session.config["a.b.c"]

    environment = Environment(
        target.url, config={"a": {"b": 1, "c": 1}}, scenarios=[run(Scenario(look, name="s"), a={"b": 2})]
    )

    environment.adapt(config={"a": {"c": 3}}).execute()

    assert seen == {"a.b": 2, "a.c": 3, "default": "none"}


def test_what_is_random_comes_from_the_seed(target):
    def draw(session):
        drawn.append((session.visit.user, session.visit.number, session.random.random()))

    runs = []
    for seed in (1, 1, 2):
        drawn = []
        once(target, draw, load=iterations(12, users=1), seed=seed)
        runs.append(sorted(drawn))

    assert runs[0] == runs[1] != runs[2]
    assert len({value for *_, value in runs[0]}) == 12


def test_two_entries_with_one_label_are_refused(target):
    scenario = Scenario(lambda s: None, name="twin")

    with pytest.raises(LoadError, match="labelled 'twin'"):
        Environment(target.url, scenarios=[run(scenario), run(scenario)]).execute()


def test_several_runs_live_beside_each_other(target):
    environments = [
        Environment(target.url, scenarios=[run(Scenario(lambda s: s.get("/"), name=f"s{i}"), iterations(50, users=2))])
        for i in range(3)
    ]

    runs = [e.start() for e in environments]
    reports = [r.report() for r in runs if r.wait(50)]

    assert [report["GET /"].count for report in reports] == [50, 50, 50]


def test_a_run_can_be_watched_and_stopped(target):
    def look(session):
        session.get("/")
        session.sleep("50ms")

    environment = Environment(target.url, scenarios=[run(Scenario(look, name="s"), users(2, hold=60))])

    with environment.start() as running:
        assert not running.wait(1.2)
        so_far = running.report()
        running.abort("seen enough")
        assert running.wait(5)
    report = running.report()

    assert so_far["GET /"].count > 0
    assert not so_far.finished
    assert (report.verdict, report.reasons) == (Verdict.ABORTED, ("seen enough",))
    assert report.visits.balanced


def test_visits_in_flight_when_the_hold_is_over_are_interrupted_after_the_grace(target):
    report = once(target, lambda s: s.get("/slow"), load=users(3, hold="200ms"), grace="100ms")

    assert report.visits.interrupted == 3
    assert errors_of(report) == {("GET /slow", "interrupted"): 3}
    assert report.duration < 5


def test_a_scenario_that_swallows_everything_cannot_stop_the_end(target):
    def stubborn(session):
        try:
            forever()
        except BaseException:
            session.get("/swallowed")

    report = once(target, stubborn, load=users(1, hold="100ms"), grace=0)

    assert report.visits.balanced
    assert report.duration < 5


def test_a_run_whose_every_request_fails_is_braked_as_a_failure(target):
    report = once(target, lambda s: s.get("/status/500"), load=users(1, hold=60, think=0.1), brake=1)

    assert report.verdict is Verdict.FAIL
    assert any("only failures for" in reason for reason in report.reasons)
    assert report.duration < 10


def test_what_would_not_run_when_it_is_called_is_no_step():
    async def later(session):
        pass

    def piecemeal(session):
        yield

    for wrong in (later, piecemeal):
        for used in (step, measured, Scenario, lambda f: Scenario(print, init=f), lambda f: Scenario(print, cleanup=f)):
            with pytest.raises(PlanError, match=f"{wrong.__name__} is .*: write it as an ordinary function"):
                used(wrong)


def test_a_step_has_room_for_its_session():
    for fits in (lambda session: None, lambda *args: None, lambda session, more=1: None, print):
        step(fits)

    for wrong in (lambda: None, lambda *, session: None, lambda **options: None):
        with pytest.raises(PlanError, match="has no parameter for its session"):
            step(wrong)


def test_services_have_tls_settings_of_their_own(tls_target):
    services = {
        "trusting": Service(tls_target.url, verify=tls_target.ca),
        "careless": Service(tls_target.url, verify=False),
    }

    def asks(session):
        session.service("trusting").get("/trusted")
        session.service("careless").get("/careless")
        with pytest.raises(requests.exceptions.SSLError):
            session.get("/wary")

    report = once(tls_target, asks, services=services)

    assert tls_target.asked == ["GET /trusted", "GET /careless"]
    assert errors_of(report) == {("GET /wary", "tls"): 1}


def waits_too_long(session):
    with gevent.Timeout(0.01):
        forever()


def leaves_the_process(session):
    sys.exit(3)


def never_ends_calling(session):
    never_ends_calling(session)


def kills_itself(session):
    gevent.getcurrent().kill()


@pytest.mark.parametrize(
    ("work", "error", "fate"),
    [
        (waits_too_long, "Timeout", "failed"),
        (leaves_the_process, "SystemExit", "failed"),
        (never_ends_calling, "RecursionError", "failed"),
        (kills_itself, "GreenletExit", "failed"),
    ],
)
@pytest.mark.parametrize("place", ["step", "task", "init", "cleanup", "beat"])
def test_nothing_a_scenario_raises_ends_the_run(target, work, error, fate, place, capfd):
    def joins(session):
        session.spawn(work)
        session.join(work.__name__)

    def beats(session):
        begun = Event()
        with session.every(0.01, lambda child: (begun.set(), work(child))):
            begun.wait()
            gevent.sleep(0)

    scenario = {
        "step": Scenario(work, name="shop"),
        "task": Scenario(joins, name="shop"),
        "init": Scenario(lambda s: None, init=work, name="shop"),
        "cleanup": Scenario(lambda s: None, cleanup=work, name="shop"),
        "beat": Scenario(beats, name="shop"),
    }[place]

    report = once(target, scenario=scenario, load=users(2))

    assert error in {e.error for e in report.errors}
    ends = "done" if place in ("cleanup", "beat") else fate
    assert getattr(report.visits, ends) == 2
    assert "Traceback" not in capfd.readouterr().err
