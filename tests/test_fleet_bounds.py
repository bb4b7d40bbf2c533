"""What a fleet keeps in memory is bounded, and a sentence says when a bound is reached."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_fleet import Ground

from chaperon import Environment, LoadError, Scenario, iterations, rate, run, step
from chaperon.cluster.master import windows
from chaperon.cluster.master.windows import TOO_FAR_AHEAD, WindowSequencer
from chaperon.cluster.protocol.messages import Ping, WindowFrame
from chaperon.cluster.transport import outbox
from chaperon.cluster.transport.outbox import Outbox
from chaperon.cluster.worker.window_sender import NO_ROOM
from chaperon.measure.encoding.strict_msgpack import LARGEST
from chaperon.measure.encoding.window_codec import pack_window
from chaperon.measure.window import Window
from chaperon.report.report import Verdict

pytestmark = pytest.mark.long


def fleet_of_one(load):
    stage = Ground(load)
    stage.worker("w0")
    stage.fleet(1)
    return stage


def test_windows_far_beyond_a_missing_one_are_refused_and_counted():
    stage = fleet_of_one(rate(20, hold=5))
    run_number = stage.master.state.run
    numbers = range(100, 100 + 2 * windows.MAX_AHEAD)

    def flood():
        for seq in numbers:
            body = pack_window(Window("w0", seq, seq), began=0.0)
            stage.net.master.on_message(b"w0/1", WindowFrame("w0", 1, run_number, seq, body))

    stage.after(2.5, flood)

    report = stage.play()

    assert report.notes[TOO_FAR_AHEAD] == len(numbers)
    assert report.ledger["shop"].done == report.ledger["shop"].planned == 100
    assert report.verdict is Verdict.PASS


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 16 << 20)), max_size=60))
def test_what_waits_for_a_missing_window_is_bounded_and_a_window_that_fills_the_gap_always_fits(arriving):
    sequencer, added = WindowSequencer(), []
    for seq, size in arriving:
        if sequencer.has_room(seq, size):
            added += sequencer.accept(Window("a", seq, 0), size)
        assert len(sequencer.ahead) <= windows.MAX_AHEAD
        assert sum(sequencer._sizes.values()) <= windows.MAX_AHEAD_BYTES
        assert set(sequencer._sizes) == set(sequencer._waiting)
        assert sequencer.has_room(sequencer.acked + 1, 100 << 20)

    assert [window.seq for window in added] == list(range(1, len(added) + 1))


def test_a_window_that_was_refused_is_accepted_once_the_gap_is_filled():
    sequencer = WindowSequencer()
    far = windows.MAX_AHEAD + 2

    assert not sequencer.has_room(far, 1)
    for seq in range(1, 3):
        sequencer.accept(Window("a", seq, 0), 1)
    assert sequencer.has_room(far, 1)


def test_pings_of_unknown_workers_are_answered_and_not_kept():
    stage = fleet_of_one(rate(20, hold=5))
    answered = []
    send = stage.net.master.send
    stage.net.master.send = lambda peer, message: (answered.append(peer), send(peer, message))

    def flood():
        for k in range(500):
            stage.net.master.on_message(b"x%d" % k, Ping(f"x{k}", k, stage.master.state.run, "ready", 0.0))
        for k in range(500):  # one worker, under many identities of the wire
            stage.net.master.on_message(b"y%d" % k, Ping("w0", 1, stage.master.state.run, "sending", 0.0))

    stage.after(2.5, flood)
    stage.play()

    assert {b"x%d" % k for k in range(500)} <= set(answered)
    assert len(stage.master._coordinator._pings) <= 1


def test_repeating_an_answer_does_not_count_as_a_sign_of_life():
    stage = fleet_of_one(rate(20, hold=30))
    heard = []

    def change():
        (worker,) = stage.master.state.workers
        before = worker.last_heard_at
        stage.master.scale(1.0)
        heard.append((before, worker.last_heard_at))

    stage.after(5.05, change)
    stage.play()

    ((before, after),) = heard
    assert before == after


def fleet_with_setup(result):
    stage = Ground(iterations(5))

    @step
    def visit(session):
        session.clock.sleep(0.1)

    stage.environment = Environment(
        scenarios=[run(Scenario(visit, name="shop"), iterations(5))], setup=lambda session: result
    )
    stage.worker("w0")
    return stage


def test_the_result_of_a_setup_that_fits_a_message_reaches_the_workers():
    stage = fleet_with_setup({"rows": ["x" * 100] * (LARGEST // 110)})
    stage.fleet(1)

    assert stage.play().ledger["shop"].done == 5


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            {"rows": ["x" * 100] * (2 * LARGEST // 100)},
            r"what setup returned has 8,5\d\d,\d\d\d bytes, more than fit in a message of 4,194,304 to a worker: "
            "write the data to a file beside the scenario",
        ),
        ({"when": object()}, "what setup returned cannot be sent to workers: .*use text, finite numbers"),
    ],
    ids=["large", "object"],
)
def test_the_result_of_a_setup_that_cannot_be_sent_is_refused_with_the_remedy(result, said):
    stage = fleet_with_setup(result)

    with pytest.raises(LoadError, match=said):
        stage.fleet(1)


def test_an_outbox_that_is_full_says_so_once_and_the_run_is_not_valid(monkeypatch):
    monkeypatch.setattr(outbox, "MAX_BYTES", 1_500)
    stage = Ground(rate(20, hold=10))
    said = []
    stage.worker("w0")._sender._notify = said.append
    stage.fleet(1)
    link = stage.net.workers[b"w0/1"]
    send = link.send_window
    link.send_window = lambda frame: False
    stage.after(8.0, lambda: setattr(link, "send_window", send))

    report = stage.play()

    assert said == [f"worker w0: {NO_ROOM}"]
    assert report.notes[NO_ROOM] >= 1
    assert report.verdict is Verdict.INVALID
    assert any("w0 counted 200 visits" in reason or "samples, its windows have" in reason for reason in report.reasons)
    ledger = report.ledger["shop"]
    assert ledger.planned == 200 == ledger.done + ledger.lost
    assert ledger.lost > 0


def test_acknowledged_windows_make_room():
    queue = Outbox()
    queue.put(1, b"x" * outbox.MAX_BYTES)

    assert not queue.has_room(1)
    queue.acknowledge(1)
    assert queue.has_room(outbox.MAX_BYTES)
