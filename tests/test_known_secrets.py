"""A run knows its own secrets: none is in its report, from any source."""

import dataclasses
import io
import json
import pickle
from base64 import b64encode
from urllib.parse import quote

import pytest
from requests.auth import HTTPBasicAuth, HTTPDigestAuth
from rich.console import Console

from chaperon import Environment, Scenario, Service, run, step, users
from chaperon.client.http.measured import MeasuredSession
from chaperon.client.network.connect import NetworkContext
from chaperon.clock import HubClock
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder
from chaperon.report.outputs.console import print_report
from chaperon.report.outputs.json import as_dict

WORD = "wort-47 & more"
BASIC = b64encode(f"ann:{WORD}".encode()).decode()


class Signed:
    """An auth object as a library would bring it."""

    def __init__(self):
        self.signing = WORD

    def __call__(self, request):
        return request


SOURCES = {
    "a header": {"headers": {"X-Own": WORD}},
    "a header as bytes": {"headers": {"X-Own": WORD.encode()}},
    "a bearer": {"headers": {"authorization": f"Bearer {WORD}"}},
    "a basic header": {"headers": {"AUTHORIZATION": f"Basic {BASIC}"}},
    "a cookie": {"headers": {"Cookie": f"theme=dark; sid={WORD}"}},
    "auth": {"auth": ("ann", WORD)},
    "basic auth": {"auth": HTTPBasicAuth("ann", WORD)},
    "digest auth": {"auth": HTTPDigestAuth("ann", WORD)},
    "an auth object": {"auth": Signed()},
    "a URL": {"url": f"http://ann:{quote(WORD)}@127.0.0.1:1"},
    "a URL of a token": {"url": f"http://{quote(WORD)}@127.0.0.1:1"},
    "another service": {"services": {"other": Service("http://127.0.0.1:1", headers={"X-Own": WORD})}},
    "a service's URL": {"services": {"other": f"http://ann:{quote(WORD)}@127.0.0.1:1"}},
    "config": {"config": {"db": {"password": WORD}}},
    "a list in config": {"config": {"api_tokens": ["x", WORD], "apiToken": [WORD]}},
    "below a secret key": {"config": {"credentials": {"user": "ann", "word": WORD}}},
    "a query in config": {"config": {"hook": f"http://h/?access_token={quote(WORD)}"}},
}


def saying(text):
    @step(name=f"step of {text}")
    def speak(session):
        session.check(f"check {text}", False)
        session.record(f"value {text}", 1.0)
        raise ValueError(f"it is {text}, as JSON {json.dumps(text)}, in a URL {quote(text)}, twice: {text}{text}")

    return speak


def shown(report):
    out = io.StringIO()
    print_report(report, Console(file=out, width=400))
    fields = map(repr, (report.errors, report.rows, report.reasons, report.warnings))
    return [*fields, json.dumps(as_dict(report)), out.getvalue()]


@pytest.mark.parametrize("source", SOURCES)
def test_no_output_of_a_run_holds_its_secrets(source):
    scenario = Scenario(saying(WORD), name=f"label {WORD}")
    limits = [f"p95(step of {WORD}) < 1s"]
    environment = Environment(scenarios=[run(scenario, users(2))], limits=limits, **SOURCES[source])

    texts = shown(environment.execute())

    for text in texts:
        assert WORD not in text
        assert quote(WORD) not in text
    assert "it is ***" in texts[0]


BY_HAND = {
    "a cookie of the session": lambda session: session.http.cookies.set("sid", WORD),
    "an item of the jar": lambda session: session.http.cookies.__setitem__("sid", WORD),
    "an update of the jar": lambda session: session.http.cookies.update({"sid": WORD}),
    "a cookie of one request": lambda session: session.get("/", cookies={"sid": WORD}),
}


@pytest.mark.parametrize("way", BY_HAND)
def test_cookies_that_a_scenario_sets_by_hand_are_hidden(way, target):
    @step
    def look(session):
        BY_HAND[way](session)
        raise ValueError(f"it is {WORD}")

    texts = shown(Environment(target.url, scenarios=[run(Scenario(look))]).execute())

    assert "it is ***" in texts[0]
    assert not [text for text in texts if WORD in text]


def test_a_jar_that_tells_what_is_set_by_hand_can_be_pickled():
    wire = NetworkContext()
    http = MeasuredSession(Meter(Recorder("a", began=0.0), HubClock(), "a"), Service("http://h"), wire=wire)

    http.cookies.set("sid", WORD)

    assert wire.secrets == {WORD}
    assert pickle.loads(pickle.dumps(http.cookies))["sid"] == WORD


def test_a_service_does_not_show_its_secrets():
    assert WORD not in repr(Service("http://h", headers={"X-Own": WORD}, auth=("ann", WORD)))


def test_the_basic_form_of_auth_is_hidden():
    environment = Environment(scenarios=[run(Scenario(saying(BASIC)))], auth=("ann", WORD))

    assert not [text for text in shown(environment.execute()) if BASIC in text]


def test_what_setup_returns_is_known_too():
    environment = Environment(scenarios=[run(Scenario(saying(WORD)))], setup=lambda: {"token": WORD})

    assert not [text for text in shown(environment.execute()) if WORD in text]


def test_a_setting_of_the_command_line_is_hidden_whatever_its_key():
    entry = run(Scenario(saying(WORD)))
    environment = Environment(scenarios=[entry]).adapt(config={"who": {"is": WORD}, "size": 3, "stage": "entry"})

    assert environment.secrets == {WORD, "entry"}


def test_what_the_plan_shows_anyway_is_no_secret():
    labelled = run(Scenario(saying("it"), name="shop"), name="buy")
    environment = Environment(scenarios=[labelled], name="production", services={"chat": "http://127.0.0.1:1"})
    settings = {"a": "buy", "b": "production", "c": "chat", "d": "http://127.0.0.1", "e": "true", "f": "12.5"}

    assert environment.adapt(config=settings).secrets == set()
    assert environment.adapt(config={**settings, "token": "buy"}).secrets == {"buy"}


def test_harmless_headers_are_no_secrets():
    headers = {"Accept": "text/html", "User-Agent": "our-load-test", "content-type": "text/plain", "X-Version": "2024"}

    assert Environment(headers=headers).secrets == set()


def test_series_that_differ_in_a_secret_alone_are_one_and_lose_nothing():
    @step
    def look(session):
        session.record("size at first-secret", 1.0)
        session.record("size at other-secret", 2.0)
        raise ValueError("first-secret" if session.visit.number % 2 else "other-secret")

    config = {"first_token": "first-secret", "other_token": "other-secret"}
    report = Environment(scenarios=[run(Scenario(look), users(4))], config=config).execute()

    (row,) = [row for row in report.rows if row.kind == "value"]
    assert (row.name, row.count, row.total) == ("size at ***", 8, 12.0)
    (error,) = [error for error in report.errors if error.series == "step look"]
    assert (error.count, error.sample) == (4, f"ValueError: *** ({error.where})")


def test_a_series_is_found_by_the_name_it_had():
    @step
    def look(session):
        session.record("size at first-secret", 1.0)

    report = Environment(scenarios=[run(Scenario(look))], config={"token": "first-secret"}).execute()

    assert report["size at first-secret"] == report["size at ***"]


def test_no_field_of_a_report_is_forgotten():
    """Every text anywhere in a report is changed, but those that are Chaperon's own words."""
    scenario = Scenario(saying(WORD), name=f"label {WORD}")
    environment = Environment(scenarios=[run(scenario, users(2))], headers={"X-Own": WORD})

    found = list(_texts(environment.execute()))

    assert found
    assert not [text for text in found if WORD in text]


def _texts(value, seen=0):
    if isinstance(value, str):
        yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _texts(getattr(value, field.name))
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _texts(pair)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)


def test_a_word_that_was_given_with_set_is_hidden_in_names_and_limits_still_hold():
    @step
    def look(session):
        session.record("GET /users", 1.0)

    environment = Environment(scenarios=[run(Scenario(look), users(3))], limits=["max(GET /users) < 2"])
    report = environment.adapt(config={"tenant": "users"}).execute()

    assert [row.name for row in report.rows if row.kind == "value"] == ["GET /***"]
    assert report["GET /users"].count == 3
    assert [(limit.limit, limit.held) for limit in report.limits] == [("max(GET /***) < 2", True)]
