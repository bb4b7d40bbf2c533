"""Who is there when a run begins, and what becomes of one who comes or goes just then; on simulated time."""

import pytest
from test_fleet import Ground

from chaperon import rate, users
from chaperon.report.report import Verdict

pytestmark = pytest.mark.long


@pytest.mark.parametrize("load", [rate(20, hold=6), users(9, hold=6)], ids=["rate", "users"])
def test_shares_recalled_before_their_holder_has_begun_go_to_who_came_last(load):
    stage = Ground(load)
    for name in ("w0", "w1"):
        stage.worker(name)
    stage.fleet(2)
    holders = {b"w0/1", b"w1/1"}
    stage.net.mute |= holders  # the word that the run begins comes late
    stage.worker("w2")
    stage.clock.after(0.8, lambda: stage.net.mute.difference_update(holders))
    stage.clock.after(60.0, stage.master.kill)
    report = stage.play()

    assert report.duration < 10.0
    assert report.verdict is Verdict.PASS
    assert {worker.name for worker in report.workers if worker.visits} == {"w0", "w1", "w2"}
    assert report.ledger["shop"].planned == report.ledger["shop"].done == len(stage.made)


@pytest.mark.parametrize("closed", [False, True], ids=["cut off", "closed"])
def test_a_run_does_not_begin_with_a_worker_that_is_gone(closed):
    stage = Ground(rate(20, hold=5))
    stage.worker("gone")
    if closed:
        stage.clock.after(2.0, lambda: stage.net.close(b"gone/1"))
    else:
        stage.clock.after(2.0, lambda: stage.net.cut.add(b"gone/1"))
    stage.clock.after(2.5 if closed else 6.0, lambda: stage.worker("w1"))
    stage.clock.after(20.0, lambda: stage.worker("w2"))
    stage.fleet(2)
    stage.clock.after(60.0, stage.master.kill)
    report = stage.play()

    assert [(worker.name, worker.visits) for worker in report.workers] == [("w1", 50), ("w2", 50)]
    assert stage.told[:5] == [f"{n} of 2 workers are ready" for n in (0, 1, 0, 1, 2)]
    assert report.verdict is Verdict.PASS
