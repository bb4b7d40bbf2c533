"""A target that was never there: the run ends soon, is FAIL, and says so first; a target that answers once is none."""

import json
import socket
import ssl

import pytest
from scenes import simulated

from chaperon import Environment, Scenario, Service, Verdict, iterations, run, users
from chaperon.client.network.exceptions import Origin
from chaperon.client.network.unreached import NO_BASE, PATIENCE, TARGETS, UnreachedTargets
from chaperon.errors import SocketTimeout
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.window_merge import merge_windows
from chaperon.report.collector import Collector
from chaperon.report.monitor import RunMonitor
from chaperon.report.validity.validity_rules import ValidityRules
from chaperon.report.verdict import RunInfo
from chaperon.testing import ScriptedNetwork, VirtualClock, simulate

REFUSED = {"http://127.0.0.1:9": "nothing listens at http://127.0.0.1:9: connection refused"}
WHY = REFUSED["http://127.0.0.1:9"]
BROKEN = Failure("connect refused", "refused")
GET = Key("shop", "GET /")


def windows_of(worker, seconds, **options):
    """Return the windows of a worker, one a second, numbered as a recorder does."""
    recorder = Recorder(worker, began=0.0)
    found = []
    for second in range(seconds):
        failure, unreached = options.get("failure", BROKEN), options.get("unreached", REFUSED)
        recorder.record(Sample(GET._replace(kind=options.get("kind", "http")), second, second + 0.1, failure))
        recorder.count_visit("shop", second, "planned")
        recorder.count_visit("shop", second, "failed")
        found.append(recorder.cut(unreached=unreached, health=options.get("health")))
    return found


def monitor(*workers, brake=30.0):
    return RunMonitor(Collector(workers), [], brake=brake, rules=ValidityRules())


def report_of(watch):
    return watch.report(RunInfo("shop", 1, "2026-01-01T00:00:00Z", 5.0), finished=True)


def test_a_run_without_one_connection_ends_after_five_seconds():
    watch = monitor("a", "b")

    stops = [watch.add(w) for pair in zip(windows_of("a", 6), windows_of("b", 6), strict=True) for w in pair]

    assert stops == [False] * 9 + [True] * 3
    report = report_of(watch)
    assert report.verdict is Verdict.FAIL
    assert report.reasons[:2] == (
        WHY,
        "no connection succeeded for 5 s (--no-brake continues the run regardless)",
    )


@pytest.mark.parametrize(
    "other",
    [
        {"failure": None, "unreached": {}},
        {"failure": None},
        {"failure": Failure("http 500", "500"), "unreached": {}},
        {"health": {"connections_opened": 1.0}, "unreached": {}},
    ],
)
def test_one_worker_that_reaches_the_target_is_enough(other):
    watch = monitor("a", "b")

    pairs = zip(windows_of("a", 8), windows_of("b", 8, **other), strict=True)

    assert not any(watch.add(w) for pair in pairs for w in pair)
    assert WHY not in report_of(watch).reasons


def test_without_the_brake_the_run_goes_on_and_is_a_failure_all_the_same():
    watch = monitor("a", brake=None)

    assert not any(watch.add(w) for w in windows_of("a", 9))

    report = report_of(watch)
    assert (report.verdict, report.reasons[0]) == (Verdict.FAIL, WHY)


def test_a_fault_of_the_generator_comes_after_the_target_that_is_not_there():
    watch = monitor("a")
    for w in windows_of("a", 5):
        watch.add(w)
    watch.add_fault("the generator used up its core")

    report = report_of(watch)

    assert report.verdict is Verdict.FAIL
    assert report.reasons[0] == WHY
    assert report.reasons[-1] == "the generator used up its core"


def test_unreached_targets_travel_in_windows_and_in_merged_ones():
    first, second = windows_of("a", 2)

    assert unpack_window(pack_window(first, began=0.0), "a", began=0.0).unreached == REFUSED
    assert merge_windows([first, second]).unreached == REFUSED


# a target that dies while the run goes on


def watched(seconds, *, brake=None, **options):
    """Return a monitor to which a worker has reported five good seconds, then *seconds* without a connection."""
    watch = monitor("a", brake=brake)
    good = windows_of("a", 5, failure=None, unreached={}, health={"connections_opened": 3.0})
    bad = windows_of("a", 5 + seconds, **{"health": {"connections_opened": 3.0}, **options})[5:]
    for window in (*good, *bad):
        watch.add(window)
    return watch


def test_a_target_that_dies_is_a_failure_from_its_second_on_before_what_the_generator_did():
    health = {"connections_opened": 3.0, "hub_cpu": 1.0, "lag_p50": 0.5, "late_p99": 0.5}
    report = report_of(watched(9, health=health))

    assert report.verdict is Verdict.FAIL
    assert report.reasons[0] == f"{WHY}, from second 5 to the end"
    assert any("used up its core" in reason for reason in report.reasons[1:])


def test_a_fault_of_ours_is_still_more_than_a_target_that_died():
    watch = watched(9)
    watch.add_fault("a window was lost")

    report = report_of(watch)

    assert report.verdict is Verdict.INVALID
    assert report.reasons[:2] == ("a window was lost", f"{WHY}, from second 5 to the end")


@pytest.mark.parametrize(
    "options",
    [
        {"seconds": 4},
        {"seconds": 9, "failure": Failure("http 503", "503"), "unreached": {}},
        {"seconds": 9, "failure": None},
    ],
)
def test_a_target_that_answers_or_is_gone_for_a_moment_has_not_died(options):
    assert not any("from second" in reason for reason in report_of(watched(**options)).reasons)


def test_a_target_that_comes_back_has_not_died():
    watch = monitor("a")
    for window in windows_of("a", 20, health={"connections_opened": 1.0})[:15]:
        watch.add(window)
    for window in windows_of("a", 17, failure=None, unreached={}, health={"connections_opened": 2.0})[15:]:
        watch.add(window)

    assert not any("from second" in reason for reason in report_of(watch).reasons)


def test_a_target_that_dies_stops_no_run_before_the_brake():
    assert not watched(20, brake=30.0).report(RunInfo("shop", 1, "", 25.0), finished=False).reasons[1:]


def dying(peer):
    """Answer in a fifth of a second, for four seconds; then the connection is closed."""
    for _ in range(20):
        peer.receive()
        peer.sleep(0.2)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("load", [users(4, hold=24), iterations(4000, users=4, hold=24)], ids=["users", "iterations"])
def test_users_of_a_target_that_died_start_ever_fewer_visits(load):
    refused = ConnectionRefusedError(111, "Connection refused")
    shop = Scenario(lambda session: session.get("/"), name="shop")
    environment = Environment("http://shop.test", scenarios=[run(shop, load)], brake=None)

    report = simulate(environment, ScriptedNetwork(VirtualClock(), *[dying] * 4, refused))

    assert report.verdict is Verdict.FAIL
    assert report.reasons[0] == "nothing listens at http://shop.test: connection refused, from second 5 to the end"
    assert report.ledger["shop"].done == 80
    assert 4 * 20 < report.ledger["shop"].failed < 4 * 45
    late = [second.errors for second in report.seconds if second.at >= 8]
    assert all(4 <= errors <= 10 for errors in late[:-1])


@pytest.mark.parametrize("url", ["/", "ftp://h/", "http://"])
def test_users_without_a_url_to_send_to_start_ever_fewer_visits(url):
    shop = Scenario(lambda session: session.get(url), name="shop")
    environment = Environment(scenarios=[run(shop, users(4, hold=20))], brake=None)

    report = simulate(environment, ScriptedNetwork(VirtualClock()))

    assert report.verdict is Verdict.FAIL
    assert 4 * 20 <= report.ledger["shop"].failed < 4 * 45


def test_one_failed_connection_costs_a_user_no_pause():
    refused = ConnectionRefusedError(111, "Connection refused")

    def once(peer):
        peer.receive()
        peer.sleep(0.1)
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    shop = Scenario(lambda session: session.get("/"), name="shop")
    environment = Environment("http://shop.test", scenarios=[run(shop, iterations(40))])
    report = simulate(environment, ScriptedNetwork(VirtualClock(), *[once, refused] * 20, once))

    assert (report.ledger["shop"].done, report.ledger["shop"].failed) == (20, 20)
    assert report.duration == pytest.approx(2.0, abs=0.01)


def environment(url, transport, steps):
    scenario = Scenario(steps, name="shop")
    return Environment(services={"default": Service(url, transport=transport)}, scenarios=[run(scenario, users(1))])


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
@pytest.mark.parametrize("scheme", ["http", "https", "ws"])
def test_a_run_against_a_closed_port_says_that_nothing_listens(dead_port, transport, scheme):
    url = f"{'https' if scheme == 'https' else 'http'}://127.0.0.1:{dead_port}"

    def steps(session):
        session.ws("/feed") if scheme == "ws" else session.get("/")

    shop = environment(url, transport, steps)
    report = shop.execute()

    assert (report.verdict, report.reasons[0]) == (Verdict.FAIL, f"nothing listens at {url}: connection refused")


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
def test_a_plain_server_asked_for_tls_is_no_tls_connection(target, transport):
    url = target.url.replace("http://", "https://")
    shop = environment(url, transport, lambda s: s.get("/"))

    report = shop.execute()

    assert report.verdict is Verdict.FAIL
    assert report.reasons[0].startswith(f"no TLS connection to {url}: ")


@pytest.mark.parametrize("transport", ["wire", "urllib3"])
def test_a_target_that_answers_with_errors_or_not_at_all_is_there(target, transport):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        services = {
            "default": Service(target.url, transport=transport),
            "silent": Service(f"http://127.0.0.1:{silent.getsockname()[1]}", transport=transport, timeout=0.1),
        }
        for steps in (lambda s: s.get("/status/500"), lambda s: s.service("silent").get("/")):
            shop = Environment(services=services, scenarios=[run(Scenario(steps, name="shop"), users(1))])

            assert not any("nothing" in reason for reason in shop.execute().reasons)


def tls_error(**attributes):
    """Return an error of OpenSSL with these attributes."""
    exc = ssl.SSLError(1, "[SSL] an error")
    for name, value in attributes.items():
        setattr(exc, name, value)
    return exc


@pytest.mark.parametrize(
    ("exc", "reason"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens at http://h: connection refused"),
        (OSError(113, "No route to host"), "no connection to http://h: No route to host"),
        (socket.gaierror(-2, "Name or service not known"), "the name in http://h has no address (Name"),
        (
            tls_error(reason="WRONG_VERSION_NUMBER"),
            "no TLS connection to http://h: WRONG_VERSION_NUMBER: it may not speak TLS there; try http://",
        ),
        (
            tls_error(verify_message="self-signed certificate"),
            "no TLS connection to http://h: self-signed certificate; --insecure does not verify certificates",
        ),
        (tls_error(reason="NO_SHARED_CIPHER"), "no TLS connection to http://h: NO_SHARED_CIPHER"),
        (SocketTimeout(whole=False), "nothing answers at http://h: the connection timed out"),
        (OSError(24, "Too many open files"), None),
        (OSError(99, "Cannot assign requested address"), None),
    ],
)
def test_each_way_to_fail_has_its_words_and_a_shortage_of_ours_has_none(exc, reason):
    unreached = UnreachedTargets()
    unreached.record(Origin("http", "h", 80), exc)

    found = list(unreached.reasons(0.0).values())

    assert found[0].startswith(reason) if reason else not found


def test_an_attempt_that_gets_no_answer_counts_before_it_times_out():
    unreached = UnreachedTargets()
    unreached.begin(Origin("https", "::1", 8443), 10.0)

    assert not unreached.reasons(10.0 + PATIENCE / 2)
    assert list(unreached.reasons(10.0 + PATIENCE)) == ["https://[::1]:8443"]

    unreached.set_reached()
    assert not unreached.reasons(99.0)


def test_the_targets_kept_are_bounded():
    unreached = UnreachedTargets()
    for port in range(100):
        unreached.begin(Origin("http", "h", port + 1), 0.0)
        unreached.record(Origin("http", "h", port + 1), ConnectionRefusedError())

    assert len(unreached.reasons(99.0)) == TARGETS


def test_a_run_without_a_base_url_ends_as_one_without_a_target_does():
    report = simulated(lambda session: session.get("/"), load=users(2, hold=60, think=0.5))

    assert report.verdict is Verdict.FAIL
    assert report.reasons[0] == NO_BASE
    assert 5 <= report.duration < 15


@pytest.mark.processes
def test_a_fleet_stops_as_well(dead_port, tmp_path, command):
    (tmp_path / "shop.py").write_text("from chaperon import step\n\n@step\ndef look(session):\n    session.get('/')\n")

    done = command(
        *("local", "shop.py", "--processes", "2", "--url", f"http://127.0.0.1:{dead_port}"),
        *("--users", "2", "--hold", "30s", "--json", "out.json"),
    )

    report = json.loads((tmp_path / "out.json").read_text())
    assert (done.returncode, report["verdict"]) == (4, "FAIL")
    assert report["reasons"][0] == f"nothing listens at http://127.0.0.1:{dead_port}: connection refused"
    assert 5 <= report["duration"] < 15
