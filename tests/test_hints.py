"""Habits of other tools, and mistakes with a known remedy: each message leads to the way to write it here."""

import asyncio
import re

import pytest

from chaperon import Environment, LoadError, PlanError, Scenario, mix, run, stages, stairs, step, users
from chaperon.errors import UsageError


def call_of_client(session):
    session.client.get("/")


def failure_of_a_response(session):
    session.get("/").failure("no price")


def success_of_a_response(session):
    session.get("/").success()


def catch_response(session):
    session.get("/", catch_response=True)


def tags_in_a_list(session):
    session.get("/", tags=["search"])


def header_beyond_latin_1(session):
    session.get("/", headers={"X-Ok": "a", "X-City": "Łódź"})


def header_name_beyond_latin_1(session):
    session.post("/", headers={"X-Straße €": "b"}, data="x")


def header_of_a_handshake(session):
    session.ws("/", headers={"X-City": "Łódź"})


async def nap():
    await asyncio.sleep(0.05)


def event_loop_in_a_step(session):
    session.spawn(lambda inner: asyncio.run(nap()), task="first")
    session.sleep(0.01)
    asyncio.run(nap())


MESSAGES = {
    call_of_client: "AttributeError: 'Session' object has no attribute 'client'; "
    'a session sends requests itself: session.get("/")',
    failure_of_a_response: "AttributeError: 'Response' object has no attribute 'failure'; "
    'response.fail("no price") counts a response as bad; others are good below status 400, or as expect= says',
    success_of_a_response: "AttributeError: 'Response' object has no attribute 'success'; "
    'response.fail("no price") counts a response as bad; others are good below status 400, or as expect= says',
    catch_response: "TypeError: MeasuredSession.request() got an unexpected keyword argument 'catch_response'; "
    'no response has to be caught: response.fail("no price") counts one as bad, expect= says which are good',
    tags_in_a_list: "TypeError: tags= takes names with values, such as tags={'kind': 'search'}; got ['search']",
    header_beyond_latin_1: "InvalidHeader: the header 'X-City: Łódź' has characters beyond Latin-1: "
    "percent-encode it (urllib.parse.quote), or give its bytes (.encode())",
    header_name_beyond_latin_1: "InvalidHeader: the header 'X-Straße €: b' has characters beyond Latin-1: "
    "percent-encode it (urllib.parse.quote), or give its bytes (.encode())",
    event_loop_in_a_step: "RuntimeError: asyncio.run() cannot be called from a running event loop; "
    "all visits share one thread, which runs one event loop at a time: run yours in gevent's thread pool, "
    "gevent.get_hub().threadpool.apply(asyncio.run, (main(),))",
}


@pytest.mark.filterwarnings("ignore:coroutine 'nap' was never awaited")
@pytest.mark.parametrize("function", MESSAGES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("transport", ["wire", "urllib3"])
def test_a_step_that_fails_by_a_habit_names_the_remedy(target, function, transport):
    environment = Environment(target.url, scenarios=[run(function)], transport=transport, trust={"own": "off"})

    report = environment.execute()

    place = rf" \(test_hints\.py:\d+ in {function.__name__}\)"
    assert MESSAGES[function] in [re.sub(place, "", error.sample) for error in report.errors]


def test_a_handshake_names_the_header_that_cannot_be_encoded(target):
    report = Environment(target.url, scenarios=[run(header_of_a_handshake)], trust={"own": "off"}).execute()

    assert MESSAGES[header_beyond_latin_1].removeprefix("InvalidHeader: ") in report.errors[0].sample


def test_the_bytes_of_a_header_are_sent_as_they_are(target):
    @step
    def go(session):
        session.get("/", headers={"X-City": "Łódź".encode()})

    assert not Environment(target.url, scenarios=[run(go)], trust={"own": "off"}).execute().errors


def test_an_event_loop_runs_in_the_thread_pool(target):
    import gevent

    @step
    def go(session):
        gevent.get_hub().threadpool.apply(asyncio.run, (nap(),))

    report = Environment(target.url, scenarios=[run(go, users(3))], trust={"own": "off"}).execute()

    assert (report.visits.done, report.errors) == (3, ())


FILES = {
    "a method": (
        "from chaperon import step\nclass Shop:\n    @step\n    def go(self, session): pass\n",
        "holds no @step function, no Scenario and no Environment; "
        "Shop.go is a method: write it as a function of the file, def go(session)",
    ),
    "a starred import": (
        "from steps_of_others import *\n",
        "holds no @step function, no Scenario and no Environment of its own; "
        "use imported steps by name: scenario = Scenario(go, leave)",
    ),
}


@pytest.fixture
def local(tmp_path, command):
    """Run `chaperon local shop.py` in this process, with a text for the file."""

    def run_file(text):
        (tmp_path / "shop.py").write_text(text)
        (tmp_path / "steps_of_others.py").write_text(
            "from chaperon import step\n@step\ndef go(session): pass\n@step\ndef leave(session): pass\n"
        )
        return command("local", "shop.py")

    return run_file


@pytest.mark.parametrize("case", FILES)
def test_a_file_whose_steps_do_not_count_says_why(local, case):
    text, message = FILES[case]

    done = local(text)

    assert (done.returncode, done.stderr) == (3, f"chaperon: shop.py {message}\n")


def test_a_method_beside_steps_is_named(local):
    done = local(f"{FILES['a method'][0]}@step\ndef be(session): pass\n")

    said = "chaperon: Shop.go of shop.py: a method is no step; write it as a function of the file"
    assert done.stderr.splitlines()[0] == said


@step
def browse(session):
    session.get("/")


def buy(session):
    session.get("/buy")


FUNCTIONS = {
    "run": (lambda: [run(browse)], {"browse"}),
    "scenarios=": (lambda: [browse, buy], {"browse", "buy"}),
    "mix": (lambda: [run(mix({browse: 1, buy: 1}), users(2))], {"mix/browse", "mix/buy"}),
    "choose": (lambda: [run(Scenario.choose({browse: 1, buy: 1}), users(8))], {"choose/browse", "choose/buy"}),
    "then": (lambda: [run(Scenario(browse, name="both").then(buy, name="both"))], {"both"}),
    "a scenario of one step": (lambda: [run(Scenario(buy))], {"buy"}),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_a_function_stands_for_a_scenario_of_one_step_with_its_name(target, case):
    entries, labels = FUNCTIONS[case]

    report = Environment(target.url, scenarios=entries(), trust={"own": "off"}).execute()

    assert {row.scenario for row in report.rows if row.kind == "http"} == labels
    assert report.visits.failed == 0


def test_a_session_runs_a_function_as_a_scenario(target):
    def outer(session):
        session.run(buy)

    report = Environment(target.url, scenarios=[run(outer)], trust={"own": "off"}).execute()

    assert {(row.scenario, row.name) for row in report.rows} >= {
        ("outer/buy", "step buy"),
        ("outer", "call buy"),
    }


@pytest.mark.parametrize("make", [lambda of: stages(("1s", 4), of=of), lambda of: stairs(1, 3, by=1, each="1s", of=of)])
@pytest.mark.parametrize("name", ["users", "rate", "users_per_second"])
def test_the_kind_of_stages_can_be_given_as_text(make, name):
    import chaperon

    assert repr(make(name)) == repr(make(getattr(chaperon, name)))


WRONG = [
    (
        lambda: stages(("1s", 4), of="iterations"),
        PlanError,
        "of= takes users, rate or users_per_second, got 'iterations'",
    ),
    (lambda: run("shop"), LoadError, "run() takes a Scenario or a function first, got 'shop'"),
    (lambda: mix({"shop": 1}), LoadError, "mix takes scenarios by weight, as in {shop: 3, api: 1}; got {'shop': 1}"),
    (lambda: Scenario(buy).then(3), LoadError, "a scenario or a function is needed, got 3"),
]


@pytest.mark.parametrize(("make", "error", "message"), WRONG)
def test_what_is_neither_is_refused(make, error, message):
    with pytest.raises(error) as caught:
        make()

    assert str(caught.value) == message


def test_a_session_refuses_what_is_no_scenario(target):
    def outer(session):
        with pytest.raises(UsageError, match=r"session\.run takes a Scenario or a function, got 'buy'"):
            session.run("buy")

    assert Environment(target.url, scenarios=[run(outer)], trust={"own": "off"}).execute().visits.failed == 0
