"""Libraries that replace parts of `requests` or urllib3 intercept the requests of a session, each one a sample."""

import re
import subprocess
import sys
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from unittest import mock

import pytest
import requests
import requests_cache
import requests_mock
import responses
import vcr
from requests.adapters import HTTPAdapter
from scenes import once
from thorough import some

from chaperon.client import mocks
from chaperon.client.http.measured import MeasuredSession
from chaperon.client.service import Service


@contextmanager
def by_requests_mock(url, session):
    with requests_mock.Mocker() as mocker:
        mocker.register_uri(requests_mock.ANY, requests_mock.ANY, text="mock")
        yield


@contextmanager
def by_requests_mock_of_the_session(url, session):
    with requests_mock.Mocker(session=session.http) as mocker:
        mocker.register_uri(requests_mock.ANY, requests_mock.ANY, text="mock")
        yield


@contextmanager
def by_responses(url, session):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocker:
        for method in (responses.GET, responses.POST):
            mocker.add(method, f"{url}/", body="mock")
        yield


@contextmanager
def by_a_patch_of_send(url, session):
    def send(self, request, **kwargs):
        return answer(request)

    with mock.patch("requests.Session.send", send):
        yield


@contextmanager
def by_a_patch_of_the_adapter(url, session):
    with mock.patch.object(HTTPAdapter, "send", lambda self, request, *args, **kwargs: answer(request)):
        yield


@contextmanager
def by_a_mounted_adapter(url, session):
    adapter = requests_mock.Adapter()
    adapter.register_uri(requests_mock.ANY, requests_mock.ANY, text="mock")
    before = session.http.get_adapter(url)
    session.http.mount("http://", adapter)
    yield
    session.http.mount("http://", before)


def answer(request):
    response = requests.Response()
    response.status_code, response._content, response.request, response.url = 200, b"mock", request, request.url
    return response


MOCKS = [
    by_requests_mock,
    by_requests_mock_of_the_session,
    by_responses,
    by_a_patch_of_send,
    by_a_patch_of_the_adapter,
    by_a_mounted_adapter,
]
CALLS = {
    "get": lambda session: session.get("/"),
    "get with cookies": lambda session: session.get("/", cookies={"a": "b"}),
    "get with headers": lambda session: session.get("/", headers={"X-A": "b"}),
    "get with tags": lambda session: session.get("/", tags={"kind": "dry"}),
    "get, streamed": lambda session: session.get("/", stream=True),
    "post of JSON": lambda session: session.post("/", json={"a": 1}),
    "through session.http": lambda session: session.http.get(session.http.service.url + "/"),
}


@pytest.mark.parametrize(("mocked", "call", "transport"), some(product(MOCKS, CALLS, ["wire", "urllib3"]), 5))
def test_a_mock_answers_in_place_of_the_server_while_it_is_there(target, mocked, call, transport):
    texts = []

    def visit(session):
        session.get("/before")
        with mocked(target.url, session):
            texts.extend(CALLS[call](session).text for _ in range(2))
        texts.append(session.get("/after").text)

    report = once(target, visit, transport=transport)

    assert texts == ["mock", "mock", "hello"]
    assert target.asked == ["GET /before", "GET /after"]
    assert sum(row.count for row in report.rows if row.kind == "http") == 4


def test_a_mock_that_is_gone_leaves_the_fast_path(target):
    http = MeasuredSession(service=Service(target.url))
    before = http._encoded("GET", "/", None, None, None, None) is not None
    for mocked in (requests_mock.Mocker(), requests_mock.Mocker(session=http), responses.RequestsMock()):
        with mocked:
            assert http._encoded("GET", "/", None, None, None, None) is None
        assert http._encoded("GET", "/", None, None, None, None) is not None

    assert before
    assert not mocks.intercepted()


def test_our_own_session_in_place_of_that_of_requests_is_no_mock(monkeypatch):
    monkeypatch.setattr(requests, "Session", type("Ours", (MeasuredSession,), {}))
    assert not mocks.intercepted()

    monkeypatch.undo()
    assert not mocks.intercepted()


def test_a_mock_around_the_run_answers_all_of_it(target):
    with requests_mock.Mocker() as mocker:
        mocker.get(f"{target.url}/", json={"found": 7})
        report = once(target, lambda session: session.check("found", session.get("/").json_at("found") == 7))

    assert target.asked == []
    assert (report["GET /"].count, report["GET /"].errors) == (1, 0)
    assert not report.errors


def test_a_mock_that_passes_a_request_on_makes_it_one_sample(target):
    def visit(session):
        for options in ({}, {"session": session.http}):
            with requests_mock.Mocker(real_http=True, **options) as mocker:
                mocker.get(f"{target.url}/mocked", text="mock")
                assert [session.get(path).text for path in ("/mocked", "/real")] == ["mock", "hello"]

    report = once(target, visit)

    assert target.asked == ["GET /real"] * 2
    assert (report["GET /mocked"].count, report["GET /real"].count) == (2, 2)


def test_a_mocked_redirect_is_followed_and_an_error_of_a_mock_is_recorded(target):
    def visit(session):
        with requests_mock.Mocker() as mocker:
            mocker.get(f"{target.url}/old", status_code=302, headers={"Location": "/new"})
            mocker.get(f"{target.url}/new", text="new")
            mocker.get(f"{target.url}/slow", exc=requests.exceptions.ReadTimeout)
            assert session.get("/old").text == "new"
            with pytest.raises(requests.exceptions.ReadTimeout):
                session.get("/slow")

    report = once(target, visit)

    assert target.asked == []
    assert report["redirects GET /old"].count == 1
    assert report["GET /slow"].errors == 1


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
def test_a_cassette_is_recorded_and_played(target, transport, tmp_path):
    def visit(session):
        session.get("/before")
        for _ in range(2):
            with vcr.use_cassette(str(tmp_path / "tape.yaml")):
                assert session.get("/taped").text == session.post("/taped", json=[]).text.replace("[]", "hello")
        session.get("/after")

    report = once(target, visit, transport=transport)

    assert not report.errors
    assert target.asked == ["GET /before", "GET /taped", "POST /taped", "GET /after"]
    assert (report["GET /taped"].count, report["POST /taped"].count) == (2, 2)


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
def test_an_installed_cache_answers_what_was_asked_before(target, transport):
    def visit(session):
        session.get("/cached")
        requests_cache.install_cache(backend="memory")
        try:
            answers = [session.get("/cached") for _ in range(3)]
        finally:
            requests_cache.uninstall_cache()
        assert [a.text for a in answers] == ["hello"] * 3
        assert [a.from_cache for a in answers] == [False, True, True]
        assert [a.find("l+") for a in answers] == ["ll"] * 3
        session.get("/cached")

    report = once(target, visit, transport=transport)

    assert target.asked == ["GET /cached"] * 3
    assert (report["GET /cached"].count, report["GET /cached"].errors) == (5, 0)


PAGE = (Path(__file__).resolve().parent.parent / "docs/mocks.md").read_text()
PROGRAM, FILE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
AROUND = """
from gevent import monkey; monkey.patch_all()
{install}
from chaperon import Environment, Scenario, iterations, run
texts = []
with around:
    Environment("http://127.0.0.1:1", trust={{"own": "off", "cpu": "off", "late": "off"}}, scenarios=[
        run(Scenario(lambda session: texts.append(session.get("/").text), name="a"), iterations(2))]).execute()
assert texts == ["mock"] * 2, texts
"""
INSTALLED = {
    "requests-mock": "from requests_mock import ANY, Mocker; around = Mocker(); around.get(ANY, text='mock')",
    "responses": "import responses; around = responses.RequestsMock(); around.get('http://127.0.0.1:1/', body='mock')",
}


@pytest.mark.processes
def test_the_program_of_the_page_on_mocks_runs():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50)

    assert done.returncode == 0, done.stderr


@pytest.mark.processes
def test_the_scenario_file_of_the_page_on_mocks_is_checked_without_a_server(tmp_path):
    (tmp_path / "dry.py").write_text(FILE)

    done = subprocess.run(
        [sys.executable, "-m", "chaperon", "check", "dry.py"], capture_output=True, text=True, timeout=50, cwd=tmp_path
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.processes
@pytest.mark.parametrize("library", INSTALLED)
def test_a_mock_that_is_there_before_the_client_is_imported_answers(library):
    done = subprocess.run(
        [sys.executable, "-c", AROUND.format(install=INSTALLED[library])], capture_output=True, text=True, timeout=50
    )

    assert done.returncode == 0, done.stderr
