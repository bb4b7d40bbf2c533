"""A check that fails after a response keeps that response's exchange; one that follows nothing keeps none."""

import gc
import weakref

import pytest
import requests

from chaperon import Environment, Scenario, run, secret, step
from chaperon.report.exchanges.failures_output import FailuresOutput


def performed(url, *steps, **options):
    """Return the exchanges of a run by the name of the check."""
    report = Environment(url, scenarios=[run(Scenario(*steps, name="shop"))], **options).execute()
    return {row.series: row.exchanges for row in report.errors}


def good(session):
    return session.get("/hello", params={"q": "1"})


def posted(session):
    return session.post("/echo", json={"id": 7})


def refused(session):
    return session.get("/hello", expect=404)


def redirected(session):
    return session.get("/redirect")


def by_service(session):
    return session.http.get("/hello")


@pytest.mark.parametrize("transport", ["chaperon", "urllib3"])
@pytest.mark.parametrize("send", [good, posted, refused, redirected, by_service])
def test_a_failed_check_has_the_response_before_it(target, send, transport):
    replies = []

    @step
    def buy(session):
        replies.append(send(session))
        session.check("has a price", "price" in replies[0].text)

    options = {} if transport == "chaperon" else {"transport": transport}
    (found,) = performed(target.url, buy, **options)["check has a price"]

    assert (found.series, found.error, found.message) == (
        "check has a price",
        "check failed",
        "check has a price did not hold",
    )
    assert (found.status, found.body) == (replies[0].status_code, replies[0].text)
    assert found.url == replies[0].url
    assert found.step == "step buy"
    assert found.took > 0


def test_a_check_of_a_response_that_no_name_holds_has_it_too(target):
    @step
    def buy(session):
        session.check("is empty", not session.get("/hello").text)

    (found,) = performed(target.url, buy)["check is empty"]

    assert (found.url, found.body) == (f"{target.url}/hello", "hello")


def after_a_failed_request(session):
    session.get("/hello")
    with pytest.raises(requests.ConnectionError):
        session.get("http://127.0.0.1:9/")


def after_thinking(session):
    session.get("/hello")
    session.sleep(0.001)


def after_a_task(session):
    session.join(session.spawn(lambda session: session.get("/hello")))


@pytest.mark.parametrize("before", [after_a_failed_request, after_thinking, after_a_task])
def test_a_check_that_does_not_follow_a_response_of_its_greenlet_has_none(target, before):
    @step
    def buy(session):
        before(session)
        session.check("holds", False)

    assert performed(target.url, buy)["check holds"] == ()


def test_a_check_in_the_next_step_has_none_and_the_response_is_not_kept_until_then(target):
    gone = []

    @step
    def fetch(session):
        gone.append(weakref.ref(session.get("/hello")))

    @step
    def judge(session):
        gc.collect()
        gone[0] = gone[0]() is None
        session.check("holds", False)

    assert performed(target.url, fetch, judge)["check holds"] == ()
    assert gone == [True]


def test_the_response_or_message_that_came_last_is_kept(target, websocket_server):
    server = websocket_server()

    @step
    def both(session):
        with session.ws(f"{server.url}/feed", timeout="5s") as socket:
            session.get(f"{target.url}/hello")
            session.check("after the response", False)
            socket.send("one")
            socket.recv()
            session.check("after the message", False)

    found = performed(target.url, both)

    assert [each.url for each in found["check after the response"]] == [f"{target.url}/hello"]
    assert [message.text for message in found["check after the message"][0].messages] == ["one", "one"]


def test_a_response_that_is_failed_too_late_has_its_exchange(target, monkeypatch):
    from chaperon.measure.meter import Meter

    monkeypatch.setattr(Meter, "amend", lambda *args: False)

    @step
    def buy(session):
        session.get("/hello").fail("no price")

    (found,) = performed(target.url, buy)["check no price"]

    assert (found.status, found.url) == (200, f"{target.url}/hello")


def test_the_folder_of_failures_shows_the_response_with_its_secrets_masked(target, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-token-value")

    @step
    def buy(session):
        session.post("/echo", data="it is s3cr3t-token-value")
        session.check("has a price", False)

    scenarios = [run(Scenario(buy, name="shop"))]
    environment = Environment(target.url, scenarios=scenarios, headers={"X-Token": secret("env:TOKEN")})
    environment.execute(outputs=[FailuresOutput(tmp_path / "failures")])

    (file,) = (tmp_path / "failures").glob("check_has_a_price-*.txt")
    text = file.read_text()
    assert "> POST" in text
    assert "< it is" in text
    assert "s3cr3t-token-value" not in text
