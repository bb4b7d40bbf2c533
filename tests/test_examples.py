"""Each example runs by itself, and what it reports is what its server counted."""

import json
import sys
from pathlib import Path

import pytest
from geventwebsocket.handler import WebSocketHandler
from scenes import errors_of
from unjudged import UNJUDGED

from chaperon import Environment, Scenario, Verdict, users
from chaperon.execution.loader import load

# examples have limits of their own, in real time
pytestmark = [pytest.mark.long, pytest.mark.flaky(reruns=2, reruns_delay=1)]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture
def counts_of(monkeypatch):
    """Return a server's own counts, empty at first."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def of(server):
        __import__(f"servers.{server}")
        counts = sys.modules[f"servers.{server}"].counts
        counts.clear()
        getattr(sys.modules[f"servers.{server}"], "channels", {}).clear()
        return counts

    return of


def played(name, **config):
    """Run an example and return its report."""
    return load(str(EXAMPLES / f"{name}.py")).adapt(config=config, trust=UNJUDGED).execute()


def test_the_noise_in_the_background_grows_evenly(counts_of):
    counts = counts_of("search")

    report = played("background_noise", seconds=1.5, rate=40.0)

    assert report.verdict is Verdict.PASS
    assert report["GET /"].count == counts["GET"] == 4
    assert report["POST /"].count == report["task post_data"].count == counts["POST"] == 2 * (40 + 41)
    assert report["noise rate"].max == pytest.approx(41)
    assert report.duration < 4


def test_without_noise_there_are_only_the_searchers(counts_of):
    counts = counts_of("search")

    played("background_noise", post_data=False)

    assert counts == {"GET": 4}


def test_a_publisher_waits_for_its_subscriber_and_everything_arrives(counts_of):
    counts = counts_of("channels")

    report = played("publish_and_await", messages=10)

    assert report.verdict is Verdict.PASS
    assert report["PUT /:channel"].count == counts["PUT"] == 50
    assert report["GET /:channel"].count + report["GET /:channel next"].count == counts["GET"]
    assert report["round trip"].count == 50
    assert report["check nothing is missing"].errors == 0


def test_a_protocol_of_lines_is_measured_like_http(counts_of):
    counts = counts_of("lines")

    report = played("tcp_lines")

    assert report.verdict is Verdict.PASS
    assert (report["lines SET"].count, report["lines GET"].count) == (counts["SET"], counts["GET"]) == (200, 220)
    assert report.requests.count == 200 + 220 + 20
    assert report["lines GET"].errors == 20
    assert report["lines GET"].bytes == 20 * sum(len(f"VALUE {n}\n") for n in range(10)) + 20 * len("NONE\n")
    assert errors_of(report) == {("lines GET", "none"): 20}


def test_each_customer_of_the_shop_is_somebody_else_and_three_in_four_only_look(counts_of):
    counts = counts_of("shop")

    report = load(str(EXAMPLES / "shop.py")).adapt(ramp="200ms", hold="500ms", trust=UNJUDGED).execute()

    logins = [name for name in counts if name.startswith("login of")]
    assert report.verdict is Verdict.PASS
    assert len(logins) == report["POST /login"].count == counts["POST /login"] == 10
    assert report.notes["of 12 rows of people.csv used"] == 10
    for name in ("GET /login", "GET /products", "POST /basket", "POST /checkout"):
        assert report[name].count == counts[name] > 0


def test_when_there_are_no_more_customers_the_others_go_on(counts_of):
    counts = counts_of("shop")

    report = load(str(EXAMPLES / "shop.py")).adapt(load=users(80), trust=UNJUDGED).execute()

    assert counts["POST /login"] == 12
    assert (report.visits.done, report.visits.no_row) == (72, 8)
    assert report.errors == ()
    assert report.notes["visits ended because people.csv had no row left"] == 8


def test_a_hundred_users_echo_ten_messages_each(counts_of):
    counts = counts_of("echo")

    report = played("ws_echo")

    assert report.verdict is Verdict.PASS
    assert report["ws connect /"].count == counts["connections"] == report["ws closed 1000 /"].total == 100
    assert report["call echo"].count == report["round trip /"].count == counts["messages"] == 1000
    assert report["ws sent /"].total == report["ws received /"].total == 1000


@pytest.mark.parametrize("path", ["/?greeting=welcome", "/?ping=7", "/?slow=0.001"])
def test_echoes_come_through_whatever_else_the_server_does(counts_of, path):
    counts = counts_of("echo")

    report = played("ws_echo", path=path, iterations=3)

    assert report.verdict is Verdict.PASS
    assert report["call echo"].count == counts["messages"] == 300
    assert counts["pings"] == (300 // 7 if "ping" in path else 0)
    assert report["ws received /"].total == 300 + (100 if "greeting" in path else 0)


def test_binary_messages_come_back_as_bytes_from_the_same_server(counts_of):
    counts_of("echo")
    from servers import served
    from servers.echo import application

    def steps(session):
        with session.ws() as ws:
            ws.send(b"\x00\xff")
            assert ws.recv() == b"\x00\xff"

    with served(application, handler_class=WebSocketHandler) as given:
        report = Environment(given["url"], scenarios=[Scenario(steps)]).execute()

    assert report.errors == ()


def test_an_example_needs_nothing_but_its_name(process, tmp_path):
    done = process("local", EXAMPLES / "ping_pong.py", "--quiet", "--json", "out.json")

    series = {row["name"]: row["count"] for row in json.loads((tmp_path / "out.json").read_text())["series"]}
    assert done.returncode == 0, done.stderr
    assert series["ws request /ping"] == 1000


def test_a_server_that_closes_midway_fails_that_user_alone(counts_of):
    counts = counts_of("echo")

    report = played("ws_echo", path="/?close=500")

    assert report.verdict is Verdict.FAIL
    assert (report.visits.done, report.visits.failed) == (99, 1)
    assert errors_of(report) == {("ws recv /", "ws closed 1012"): 1}
    assert report["ws closed 1012 /"].total == 1
    assert report["ws received /"].total == counts["messages"]


def test_pings_are_answered_by_pongs_on_a_socket_that_lives_as_long_as_its_user(counts_of):
    counts = counts_of("echo")

    report = played("ping_pong")

    assert report.verdict is Verdict.PASS
    assert report["ws request /ping"].count == report["step ping_pong"].count == counts["messages"] == 1000
    assert report["ws connect /ping"].count == counts["connections"] == 100


@pytest.mark.parametrize("batch", [1, 10])
def test_the_time_from_publishing_to_receiving_is_measured_for_each_message(counts_of, batch):
    counts = counts_of("firehose")

    report = played("firehose_publish_roundtrip", publications=105, batch=batch)

    assert report.verdict is Verdict.PASS
    assert counts["PUT"] == report["call publish_roundtrip"].count == (105 if batch == 1 else 11)
    assert report["round trip publish to receive"].count == counts["published"] == counts["delivered"] == 105
    assert report["round trip publish to receive"].min > 0


def test_ten_sessions_share_a_channel_and_count_what_its_server_counts(counts_of):
    counts = counts_of("firehose")

    # the two publishers send at least 6, one a turn; how many more depends on the speed of the machine
    report = played("firehose", scale=0.05, messages=5)

    assert report.verdict is Verdict.PASS
    assert report.visits.done == 10
    assert report["PUT /testchannel"].count == report["task publish"].count == counts["PUT"] == counts["published"]
    assert report["GET /testchannel"].count == report["task subscribe"].count == counts["GET"]
    assert report["task subscribe_loop"].count == 5 + 5 + 20 + 1
    assert report["ws connect /testchannel"].count == counts["connections"] == 4
    assert report["ws recv /testchannel"].count == 4 * 5
