"""The collector is left as it was found."""

import gc

import pytest

from chaperon import gc_tuning
from chaperon.gc_tuning import NEW_SESSIONS, THRESHOLDS, LiveSessions, pause_gc, reduced_gc, resume_gc


@pytest.fixture(autouse=True)
def nobody_else_sends(monkeypatch):
    before = gc.get_threshold()
    monkeypatch.setattr(gc_tuning, "_restore", [])
    yield
    gc.set_threshold(*before)


def test_overlapping_runs_restore_what_the_first_one_found():
    found = gc.get_threshold()
    first, second = reduced_gc(), reduced_gc()

    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    within = gc.get_threshold()
    second.__exit__(None, None, None)

    assert within == THRESHOLDS
    assert gc.get_threshold() == found


def test_a_run_that_fails_restores_it_too():
    found = gc.get_threshold()

    with pytest.raises(RuntimeError), reduced_gc():
        raise RuntimeError

    assert gc.get_threshold() == found


def test_nothing_is_collected_until_imports_are_done(monkeypatch):
    monkeypatch.setattr(gc_tuning, "_paused", [])
    collecting = gc.isenabled()
    try:
        pause_gc()
        paused = gc.isenabled()
        resume_gc()
        resumed, left_out = gc.isenabled(), gc.get_freeze_count()
    finally:
        (gc.enable if collecting else gc.disable)()

    assert (paused, resumed, gc.get_threshold()) == (False, True, THRESHOLDS)
    assert left_out > 0


def test_a_program_that_imported_without_pausing_keeps_its_collector(monkeypatch):
    monkeypatch.setattr(gc_tuning, "_paused", [])
    before, frozen = (gc.isenabled(), gc.get_threshold()), gc.get_freeze_count()

    resume_gc()

    assert (gc.isenabled(), gc.get_threshold()) == before
    assert gc.get_freeze_count() == frozen


def test_while_users_come_a_collection_looks_at_some_of_their_objects_only():
    looked_at = []

    def seen(phase, info):
        if phase == "start":
            looked_at.append(sum(len(gc.get_objects(younger)) for younger in range(info["generation"] + 1)))

    with reduced_gc():
        gc.callbacks.append(seen)
        try:
            users = [[[], []] for _ in range(400_000)]
        finally:
            gc.callbacks.remove(seen)

    assert len(users) == 400_000
    assert len(looked_at) >= 10
    assert max(looked_at) < 250_000


def arrive(crowd, sessions):
    for _ in range(sessions):
        crowd.add()


def left_out_by(change):
    """Return by how much the number of objects that are left out of collections grows with a change of a crowd."""
    kept = [[] for _ in range(100)]
    crowd, before = LiveSessions(), gc.get_freeze_count()
    change(crowd)
    return gc.get_freeze_count() - before if kept else 0


def test_sessions_that_are_made_at_once_are_left_out_of_collections():
    with reduced_gc():
        assert left_out_by(lambda crowd: arrive(crowd, NEW_SESSIONS)) >= 100


def test_sessions_that_come_for_others_leave_nothing_out():
    def replace(crowd):
        arrive(crowd, NEW_SESSIONS - 1)
        for _ in range(3 * NEW_SESSIONS):
            crowd.remove()
            crowd.add()

    with reduced_gc():
        assert left_out_by(replace) == 0


def test_what_may_be_garbage_is_not_left_out():
    def arrive_while_garbage_is_collected(crowd):
        arrive(crowd, NEW_SESSIONS - 1)
        gc.collect(0)
        crowd.add()

    with reduced_gc():
        assert left_out_by(arrive_while_garbage_is_collected) == 0


def test_sessions_outside_a_run_leave_nothing_out():
    assert left_out_by(lambda crowd: arrive(crowd, NEW_SESSIONS)) == 0
