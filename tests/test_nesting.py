"""Scenarios run within scenarios, one after another, chosen by weight, mixed side by side."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import errors_of, once, simulated
from thorough import examples

from chaperon import (
    ConfigMissing,
    Environment,
    LoadError,
    PlanError,
    Scenario,
    iterations,
    mix,
    pause,
    rate,
    run,
    step,
    users,
)
from chaperon.load.weights import choose_in_turn, whole
from chaperon.scenario.entry import Entry


def told(word, log):
    return lambda session: log.append(word)


def test_a_nested_scenario_runs_whole_and_is_labelled_by_both_names(target):
    log = []
    inner = Scenario(lambda s: s.get("/in"), init=told("init", log), cleanup=told("cleanup", log), name="inner")

    def outer(session):
        session.get("/out")
        session.run(inner)
        session.get("/out")

    report = once(target, outer, load=iterations(2))

    assert log == ["init", "cleanup"] * 2
    assert report["GET /out", "shop"].count == 4
    assert report["GET /in", "shop/inner"].count == 2
    assert report["call inner", "shop"].count == 2
    assert report["step init", "shop/inner"].count == report["step cleanup", "shop/inner"].count == 2
    assert {row.scenario for row in report.rows} == {"shop", "shop/inner"}
    assert report.visits.done == 2


def test_tasks_of_a_nested_scenario_are_numbered_anew_in_each_visit(target):
    seen = []

    def spawning(session):
        session.spawn(lambda child: seen.append(child.id))
        session.join_all()

    def outer(session):
        spawning(session)
        session.run(Scenario(spawning, name="inner"))
        spawning(session)

    once(target, outer, load=iterations(2))

    assert [each.partition(".")[2] for each in seen] == ["1", "2", "3"] * 2


def test_what_an_sdk_sends_within_a_nested_scenario_is_labelled_like_the_rest(target):
    inner = Scenario(lambda s: s.http.get(f"{target.url}/sdk"), name="inner")
    innermost = Scenario(lambda s: s.run(inner), name="middle")

    report = once(target, lambda s: s.run(innermost))

    assert report["GET /sdk", "shop/middle/inner"].count == 1


def test_a_nested_scenario_shares_cookies_and_values_but_not_its_config(target):
    seen = []

    def within(session):
        session.post("/login")
        session.assign(token="t")
        seen.append((session.config["size"], session.config["kept"]))
        session.config.update(size=9)

    def outer(session):
        session.run(Scenario(within, name="inner"), config={"size": 2})
        session.get("/")
        seen.append((session.config["size"], session.assigned.token))
        session.run(Scenario(lambda s: seen.append(s.config["size"]), name="again"))

    once(target, outer, config={"size": 1, "kept": True})

    assert seen == [(2, True), (1, "t"), 1]
    assert target.cookies == [None, "who=admin"]


def test_nested_config_does_not_leak_even_if_the_scenario_fails():
    def fails(session):
        raise ValueError

    def outer(session):
        with pytest.raises(ValueError):  # noqa: PT011 - it has no words
            session.run(Scenario(fails, name="inner"), config={"only": "there"})
        with pytest.raises(ConfigMissing):
            session.config["only"]

    assert simulated(outer).visits.done == 1


def test_an_abort_in_a_nested_scenario_ends_the_session_and_all_cleanups_run():
    log = []
    inner = Scenario(lambda s: s.abort("enough"), cleanup=told("inner", log), name="inner")

    def outer(session):
        session.run(inner)
        log.append("after")

    report = simulated(scenario=Scenario(outer, cleanup=told("outer", log), name="shop"))

    assert log == ["inner", "outer"]
    assert report.visits.interrupted == 1


def test_a_failed_init_of_a_nested_scenario_skips_its_steps_and_still_cleans_up():
    log = []
    inner = Scenario(told("step", log), init=lambda s: 1 / 0, cleanup=told("cleanup", log), name="inner")

    report = simulated(lambda s: s.run(inner))

    assert log == ["cleanup"]
    assert report.visits.failed == 1
    assert errors_of(report) == {("step init", "ZeroDivisionError"): 1}


def test_a_policy_of_a_nested_scenario_is_its_own_and_to_stop_is_passed_up():
    @step(on_error="continue")
    def shrugged(session):
        raise ValueError

    @step(on_error="stop-session")
    def final(session):
        raise ValueError

    @step(on_error="continue")
    def outer(session):
        session.run(Scenario(shrugged, name="soft"))
        session.run(Scenario(final, name="hard"))

    report = simulated(outer, load=iterations(3))

    assert report["step shrugged"].errors == 1
    assert (report.visits.failed, report.visits.planned) == (1, 3)


def test_tasks_of_a_nested_scenario_are_joined_at_its_end():
    log = []

    def within(session):
        session.spawn(lambda child: (child.sleep(2), log.append("task")), task="slow")

    def outer(session):
        session.run(Scenario(within, name="inner"))
        log.append("after")

    report = simulated(outer)

    assert log == ["task", "after"]
    assert report["task slow", "shop/inner"].count == 1


def test_a_nested_run_of_something_else_says_what_it_takes():
    report = simulated(lambda session: session.run("shop"))

    assert "takes a Scenario" in report.errors[0].sample


def test_one_scenario_then_another_is_one_visit():
    log = []
    first = Scenario(told("a", log), init=told("init 1", log), cleanup=told("cleanup 1", log), name="first")
    second = Scenario(told("b", log), init=told("init 2", log), cleanup=told("cleanup 2", log), name="second")

    report = simulated(scenario=first.then(second, name="both"), load=iterations(2))

    assert log == ["init 1", "init 2", "a", "b", "a", "b", "cleanup 2", "cleanup 1"]
    assert report.ledger["both"].done == 2


def test_values_of_the_first_are_there_in_the_second():
    seen = []
    first = Scenario(lambda s: s.assign(token="t"), name="first")
    second = Scenario(lambda s: seen.append(s.assigned.token), name="second")

    simulated(scenario=first.then(second, name="both"))

    assert seen == ["t"]


def test_a_choice_is_drawn_for_each_visit_by_weight_with_the_seed(target):
    browse, buy = Scenario(lambda s: s.get("/browse"), name="browse"), Scenario(lambda s: s.get("/buy"), name="buy")

    def drawn(seed, n_users=1):
        target.asked.clear()
        scenario = Scenario.choose({browse: 3, buy: 1}, name="shop")
        report = once(target, scenario=scenario, load=iterations(200, users=n_users), seed=seed)
        assert report["GET /buy", "shop/buy"].count == target.count("GET /buy")
        return list(target.asked)

    first, again, other = drawn(1), drawn(1), drawn(2)

    assert first == again != other
    assert 25 <= first.count("GET /buy") <= 75
    assert Counter(drawn(1, n_users=7)) == Counter(first)


def test_a_choice_goes_on_in_one_session_with_an_init_of_its_own(target):
    log = []
    members = {Scenario(lambda s: log.append(s.assigned.token), name=name): 1 for name in ("a", "b")}
    scenario = Scenario.choose(members, init=lambda s: s.assign(token="t"), cleanup=told("bye", log), name="shop")

    simulated(scenario=scenario, load=iterations(4))

    assert log == ["t"] * 4 + ["bye"]


@pytest.mark.parametrize(
    "load",
    [
        users(100),
        iterations(100, users=100),
        iterations(100),
        rate(100, hold=1),
        rate(40, hold=1) >> pause(1) >> rate(60, hold=1, fresh=True),
    ],
    ids=str,
)
def test_a_mix_is_exact(load):
    seen = []
    shop = Scenario(lambda s: seen.append(("shop", s.visit.number, s.visit.user)), name="shop")
    api = Scenario(lambda s: seen.append(("api", s.visit.number, s.visit.user)), name="api")

    report = simulated(scenario=mix({shop: 3, api: 1}, name="both"), load=load)

    assert Counter(word for word, *_ in seen) == {"shop": 75, "api": 25}
    assert report["visit", "both/shop"].count == 75
    assert report.ledger["both"].done == 100


def test_the_order_of_a_mix_comes_from_the_seed_and_stays_with_the_user():
    def turns(seed):
        seen = {}
        members = {
            Scenario(lambda s, word=word: seen.setdefault(s.visit.user, set()).add(word), name=word): weight
            for word, weight in (("a", 5), ("b", 2))
        }
        simulated(scenario=mix(members), load=users(7, hold=3, think=1), seed=seed)
        assert all(len(words) == 1 for words in seen.values())
        return [seen[user] for user in range(7)]

    orders = {str(turns(seed)) for seed in range(10)}

    assert turns(3) == turns(3)
    assert len(orders) > 1


def test_each_scenario_of_a_mix_has_an_init_once_per_session():
    log = []
    members = {
        Scenario(lambda s: s.sleep(1), init=told(word, log), cleanup=told(-1, log), name=word): 1 for word in "ab"
    }

    simulated(scenario=mix(members, name="both"), load=iterations(8, users=2))

    assert Counter(log)["a"] <= 2
    assert Counter(log)["b"] <= 2
    assert Counter(log)[-1] == Counter(log)["a"] + Counter(log)["b"]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 5))
@settings(max_examples=examples(60))
def test_every_round_is_exact(weights, rounds):
    counts = whole(weights)
    size = sum(counts)

    turns = [choose_in_turn(counts, number, "seed") for number in range(rounds * size)]

    for place in range(rounds):
        assert Counter(turns[place * size : (place + 1) * size]) == dict(enumerate(counts))


def test_the_users_of_a_mix_do_not_keep_step_with_the_shares_of_workers():
    mine = [choose_in_turn([3, 1], user, "seed") for user in range(0, 400, 4)]

    assert 10 < mine.count(1) < 45


def test_weights_are_any_positive_numbers():
    assert whole([0.75, 0.25]) == [3, 1]
    assert whole([2, 4, 6]) == [1, 2, 3]
    assert whole([1 / 3, 2 / 3]) == [1, 2]
    for wrong in ([0, 1], [-1], [float("inf")], [True], ["3"], [1, 1e-9]):
        with pytest.raises(PlanError):
            whole(wrong)


def test_what_cannot_be_mixed_is_refused():
    for wrong in ({}, [Scenario(print)], {"shop": 1}):
        with pytest.raises(LoadError):
            mix(wrong)
        with pytest.raises(LoadError):
            Scenario.choose(wrong)


shop = Scenario(lambda s: None, name="shop")
bound_choice = Scenario.choose({shop: 1})


def test_what_is_made_of_scenarios_is_labelled_by_its_variable():
    assert bound_choice.label == "bound_choice"
    assert mix({shop: 1}).label == "mix"
    assert Environment(scenarios=[run(mix({shop: 1}), users(2))]).entries[0].label == "mix"


def test_a_check_of_a_mix_makes_a_visit_of_each():
    other = Scenario(lambda s: None, name="other")

    apart = Entry(mix({shop: 3, other: 1}, name="both"), config={"a": 1}).split_mix()

    assert [(entry.label, entry.scenario, entry.config) for entry in apart] == [
        ("both/shop", shop, {"a": 1}),
        ("both/other", other, {"a": 1}),
    ]
    assert Entry(shop).split_mix() == (Entry(shop),)


@pytest.mark.processes
def test_a_websocket_of_a_nested_scenario_is_labelled_like_the_rest_and_kept_alive_in_any_wait(websocket_server):
    server = websocket_server()

    def talks(session):
        with session.ws("/news") as ws, session.every("20ms", ws.ping):
            ws.send("hello")
            assert ws.recv(timeout=5) == "hello"
            session.sleep(0.1)

    report = once(server.url, lambda s: s.run(Scenario(talks, name="inner")))

    assert report["ws connect /news", "shop/inner"].count == 1
    assert report["ws recv /news", "shop/inner"].count == 1
    assert report["ws ping /news", "shop/inner"].count >= 2
    assert report.errors == ()
    assert {row.name for row in report.rows if row.scenario == "shop"} == {"call inner", "step <lambda>", "visit"}
