"""What a session remembers is its own, and what it is configured with too."""

import pytest
from scenes import once, simulated

from chaperon import ConfigMissing, Environment, NotAssigned, Scenario, Service, iterations, run, users


def test_values_are_assigned_changed_forgotten():
    def remembers(session):
        session.assign(count=1, who="me")
        session.update_assign(count=lambda n: n + 1)
        assert (session.assigned.count, session.assigned["who"]) == (2, "me")
        session.delete_assign("who")
        with pytest.raises(NotAssigned, match="'who' was never assigned to this session; assigned: count"):
            _ = session.assigned.who
        with pytest.raises(KeyError):
            session.assigned["who"]
        with pytest.raises(NotAssigned):
            session.delete_assign("who")
        assert session.assigned.get("who", "nobody") == "nobody"

    assert simulated(remembers).visits.done == 1


def test_values_live_in_namespaces_too():
    def remembers(session):
        session.assign("basket", size=1, owner="me")
        session.assign("basket", size=2)
        session.update_assign("basket", size=lambda n: n + 1)
        assert session.assigned.basket == {"size": 3, "owner": "me"}
        assert session.assigned.basket.size == 3
        session.delete_assign("basket", "owner")
        assert session.assigned.basket == {"size": 3}
        for forget in (lambda: session.update_assign("none", a=len), lambda: session.delete_assign("none", "a")):
            with pytest.raises(NotAssigned, match="'none'"):
                forget()

    assert simulated(remembers).visits.done == 1


def test_changes_see_the_values_as_they_were():
    def swaps(session):
        session.assign(a=1, b=2)
        session.update_assign(a=lambda a: session.assigned.b, b=lambda b: session.assigned.a)
        assert session.assigned == {"a": 2, "b": 1}

    assert simulated(swaps).visits.done == 1


def test_what_is_assigned_stays_from_visit_to_visit_and_with_its_session():
    seen = []

    def counts(session):
        session.assign(turns=session.assigned.get("turns", 0) + 1)
        seen.append((session.visit.user, session.assigned.turns))
        session.sleep(1)

    simulated(counts, load=iterations(6, users=2))

    assert sorted(seen) == [(user, turn) for user in range(2) for turn in (1, 2, 3)]


def test_an_updated_config_is_seen_by_this_session_alone():
    seen = []

    def configures(session):
        if session.visit.user == 0:
            session.config.update(a={"b": 1}, fresh=True)
            session.config.update({"a.c": 2, "x.y.z": 3})
            session.config["a"]["b"] = "not kept"
        session.sleep(1)
        seen.append({key: session.config.get(key) for key in ("a.b", "a.c", "a.d", "x.y.z", "fresh")})

    simulated(configures, load=users(2), config={"a": {"b": 0, "c": 0, "d": 0}})

    changed = {"a.b": 1, "a.c": 2, "a.d": 0, "x.y.z": 3, "fresh": True}
    untouched = {"a.b": 0, "a.c": 0, "a.d": 0, "x.y.z": None, "fresh": None}
    assert seen == [changed, untouched]


def test_a_config_key_below_a_plain_value_is_missing_and_none_is_a_value():
    def looks(session):
        with pytest.raises(ConfigMissing, match=r"'plain.below'"):
            session.config["plain.below"]
        assert session.config["nothing"] is None
        assert session.config.get("nothing", "default") is None

    assert simulated(looks, config={"plain": 1, "nothing": None}).visits.done == 1


def test_the_command_line_wins_over_the_entry_and_that_over_the_environment():
    seen = []
    scenario = Scenario(lambda s: seen.append([s.config[key] for key in ("a.x", "a.y", "a.z")]), name="s")
    environment = Environment(
        config={"a": {"x": "env", "y": "env", "z": "env"}}, scenarios=[run(scenario, a={"y": "entry", "z": "entry"})]
    )

    environment.adapt(config={"a": {"z": "line"}}).execute()

    assert seen == [["env", "entry", "line"]]


def test_headers_of_a_session_go_with_all_its_requests_and_no_others(target):
    def sends(session):
        if session.visit.user == 0:
            session.headers["X-Who"] = "zero"
        session.get("/")
        session.join(session.spawn(session.get, "/task"))
        session.get("/own", headers={"x-who": "call"})
        session.get("/api", service="api")

    once(target, sends, load=users(2), services={"api": target.url}, headers={"X-Who": "environment"})

    seen = sorted(
        (path, headers.get("HTTP_X_WHO", "")) for path, headers in zip(target.asked, target.headers, strict=True)
    )
    assert seen == [
        ("GET /", "environment"),
        ("GET /", "zero"),
        ("GET /api", ""),
        ("GET /api", ""),
        ("GET /own", "call"),
        ("GET /own", "call"),
        ("GET /task", "environment"),
        ("GET /task", "zero"),
    ]


def test_a_header_of_the_author_wins_over_the_one_a_body_implies(target):
    once(target, lambda s: s.post("/", json={"a": 1}, headers={"content-type": "application/vnd.mine"}))

    assert target.types == ["application/vnd.mine"]


def test_services_have_auth_of_their_own(target):
    services = {"api": Service(target.url, auth=("me", "secret")), "open": target.url}

    def sends(session):
        session.service("api").get("/api")
        session.service("open").get("/open")
        with pytest.raises(Exception, match=r"no service 'other' in this environment; there are default, api, open"):
            session.service("other")

    report = once(target, sends, services=services)

    assert [h.get("HTTP_AUTHORIZATION") for h in target.headers] == ["Basic bWU6c2VjcmV0", None]
    assert report["GET /api"].count == report["GET /open"].count == 1
