"""Our `requests.Session` prepares and routes as the stock one does."""

import pickle
import socket
import weakref
from unittest import mock

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from waits import until

from chaperon.client.http.measured import MeasuredSession
from chaperon.client.http.session import HOSTS
from chaperon.client.http.urllib3_adapter import CachedPoolAdapter
from chaperon.client.service import Service
from chaperon.measure.meter import Meter
from chaperon.measure.recorder import Recorder
from chaperon.testing import VirtualClock, hostile

words = st.text("abcXYZ-09", min_size=1, max_size=8)
dicts = st.dictionaries(words, st.one_of(st.none(), words), max_size=3)
asked = st.fixed_dictionaries(
    {"method": st.sampled_from(["GET", "post", "PUT", "HEAD"])},
    optional={
        "headers": dicts,
        "params": st.one_of(dicts, st.lists(st.tuples(words, words), max_size=2), words),
        "data": st.one_of(dicts, words, st.binary(max_size=9)),
        "json": dicts,
        "auth": st.sampled_from([("a", "b"), "", None]),
        "cookies": st.dictionaries(words, words, max_size=2),
    },
)
kept = st.fixed_dictionaries(
    {"headers": dicts, "params": st.dictionaries(words, words, max_size=2)},
    optional={"auth": st.just(("c", "d")), "cookies": st.dictionaries(words, words, max_size=2)},
)


def ours(clock, **service):
    return MeasuredSession(Meter(Recorder("local", began=0.0), clock or VirtualClock(), "shop"), Service(**service))


@given(request=asked, session=kept)
def test_a_request_is_prepared_as_requests_does(request, session):
    stock, mine = requests.Session(), ours(None)
    for each in (stock, mine):
        each.trust_env = False
        each.headers = requests.structures.CaseInsensitiveDict({"Accept": "*/*", **session["headers"]})
        each.params = session["params"]
        each.auth = session.get("auth")
        each.cookies.update(session.get("cookies", {}))

    wanted, got = (s.prepare_request(requests.Request(url="HTTP://h/p?q=1", **request)) for s in (stock, mine))

    assert (got.method, got.url, got.body) == (wanted.method, wanted.url, wanted.body)
    assert list(got.headers.items()) == list(wanted.headers.items())
    assert got.hooks == wanted.hooks
    assert got._cookies.get_dict() == wanted._cookies.get_dict()


@given(
    proxies=st.one_of(st.none(), st.just({}), st.just({"http": "http://proxy:1"})),
    stream=st.sampled_from([None, True, False]),
    verify=st.sampled_from([None, True, False, "ca.pem"]),
    cert=st.sampled_from([None, "cert.pem", ("cert.pem", "key.pem")]),
)
def test_settings_are_merged_as_requests_does(proxies, stream, verify, cert):
    stock, mine = requests.Session(), ours(None, verify="own.pem", cert="own-cert.pem")
    stock.trust_env, stock.verify, stock.cert = False, "own.pem", "own-cert.pem"

    wanted, got = (s.merge_environment_settings("http://h/", proxies, stream, verify, cert) for s in (stock, mine))

    assert dict(got) == dict(wanted)


def pool_of(pools, host, **tls):
    request = requests.Request("GET", f"https://{host}:80/").prepare()
    return pools.get_connection_with_tls_context(request, **{"verify": True, **tls})


def test_the_pool_of_a_host_is_found_again():
    pools = CachedPoolAdapter(hosts=HOSTS, connections=1)

    found = [pool_of(pools, host) for host in ("one", "two", "one", "two")]

    assert found[0] is found[2]
    assert found[1] is found[3]
    assert [pool.host for pool in found] == ["one", "two", "one", "two"]


@pytest.mark.parametrize("meanwhile", ["nothing", "a stray byte", "its end"])
def test_a_connection_is_used_again_only_if_nothing_came_over_it_meanwhile(meanwhile):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pools = CachedPoolAdapter(hosts=1, connections=1)
        request = requests.Request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/").prepare()
        connection = pools.get_connection_with_tls_context(request, verify=True)._new_conn()
        connection.connect()
        server, _ = listener.accept()

        if meanwhile == "a stray byte":
            server.send(b"x")
        elif meanwhile == "its end":
            server.close()
        if meanwhile == "nothing":
            assert connection.is_connected
        else:
            until(lambda: not connection.is_connected)


def test_other_tls_settings_are_another_pool():
    pools = CachedPoolAdapter(hosts=HOSTS, connections=1)

    tls = [{"verify": v, "cert": c} for v in (True, False) for c in (None, "a.pem", ("a.pem", "b.key"))]
    found = [pool_of(pools, "one", **each) for each in tls]

    assert len(set(map(id, found))) == 6


def test_what_is_pushed_out_or_closed_is_not_kept():
    pools = CachedPoolAdapter(hosts=HOSTS, connections=1)

    first = weakref.ref(pool_of(pools, "first"))
    for n in range(HOSTS):
        pool_of(pools, f"other-{n}")
    last = weakref.ref(pool_of(pools, "last"))
    pushed_out = first() is None
    pools.close()

    assert pushed_out
    assert last() is None
    assert pool_of(pools, "first").host == "first"


def test_a_pickled_session_sends_as_before(target, clock):
    session = ours(clock, url=target.url)
    session.headers["X-Who"] = "admin"

    again = pickle.loads(pickle.dumps(session))
    response = again.get("/thing")

    assert response.text == "hello"
    assert target.asked == ["GET /thing"]
    assert target.headers[0]["HTTP_X_WHO"] == "admin"


def test_closing_a_session_leaves_what_is_being_streamed_to_its_reader(target, clock):
    with ours(clock, url=target.url) as session:
        response = session.get("/", stream=True)

    assert response.raw.read() == b"hello"


def test_an_adapter_mounted_twice_is_closed_once(clock):
    session = ours(clock)

    with mock.patch.object(session.adapters["http://"], "close") as closed:
        session.close()

    closed.assert_called_once_with()


def test_closing_a_session_closes_its_connections_though_a_response_is_kept(clock):
    with hostile.saying(hostile.ANSWER) as server:
        session = ours(clock, url=server.url)
        kept = session.get("/")
        held = server.open

        session.close()

        assert (kept.text, held) == ("hello", 1)
        assert server.settled()
