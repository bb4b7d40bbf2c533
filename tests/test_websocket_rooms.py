"""The rooms beneath a WebSocket, each by itself: the inbox, who waits, marks."""

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperon.client.websocket.matching import field_of, match_reply
from chaperon.client.websocket.message_queue import Message, MessageQueue
from chaperon.client.websocket.waiters import Waiter, Waiting
from chaperon.errors import WaitExpired
from chaperon.measure.roundtrips import RoundTripStarts


def message(body, at=0.0):
    return Message(body, at, len(body), len(body))


def test_a_wait_ends_at_its_deadline_and_no_later(clock):
    waiting, told = Waiting(clock), []

    def wait(within):
        try:
            waiting.wait(Waiter(), within)
        except WaitExpired:
            told.append((within, clock.now() - 1000.0))

    for within in (3.0, 1.0, 2.0):
        gevent.spawn(wait, within)
    clock.run(lambda: len(told) == 3)

    assert told == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    assert not waiting


def test_one_timer_serves_any_number_of_waits(clock):
    waiting = Waiting(clock)
    armed = []
    after, clock.after = clock.after, lambda *args: armed.append(args[0]) or after(*args)

    for n in range(100):
        waiter = Waiter()
        task = gevent.spawn(waiting.wait, waiter, 30.0)
        gevent.sleep(0)
        waiting.serve(waiter, n)
        waiting.wake()
        assert task.get() == n

    assert armed == [30.0]


def test_messages_go_to_the_first_in_line_who_wants_them(clock):
    inbox = MessageQueue(clock, most=10, most_bytes=1000, dropped=lambda: None)
    picky = gevent.spawn(inbox.remove_first, lambda m: m.body == "b", None)
    anyone = gevent.spawn(inbox.pop, None)
    gevent.sleep(0)

    for body in "abc":
        inbox.put(message(body))
    inbox.waiting.wake()

    assert (picky.get().body, anyone.get().body, inbox.pop(None).body) == ("b", "a", "c")
    assert len(inbox) == 0


def test_passing_over_lets_go_only_of_what_nobody_else_in_line_wants(clock):
    inbox = MessageQueue(clock, most=10, most_bytes=1000, dropped=lambda: None)
    passing = gevent.spawn(inbox.skip_to, lambda m: m.body == "end", None)
    picky = gevent.spawn(inbox.remove_first, lambda m: m.body == "mine", None)
    gevent.sleep(0)

    for body in ("noise", "mine", "end", "kept"):
        inbox.put(message(body))
    inbox.waiting.wake()

    assert (passing.get().body, picky.get().body, inbox.pop(None).body) == ("end", "mine", "kept")


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 10), st.integers(1, 100))
def test_the_inbox_never_holds_more_than_its_bounds_and_counts_the_rest(sizes, most, most_bytes):
    dropped = []
    inbox = MessageQueue(None, most=most, most_bytes=most_bytes, dropped=lambda: dropped.append(1))

    for size in sizes:
        inbox.put(message("x" * size))

    held = [inbox.pop(None).size for _ in range(len(inbox))]
    assert len(held) + len(dropped) == len(sizes)
    assert len(held) <= most
    assert sum(held) <= most_bytes
    assert held == sizes[len(sizes) - len(held) :]


def test_after_the_end_what_is_held_can_be_taken_and_then_it_raises(clock):
    inbox = MessageQueue(clock, most=10, most_bytes=1000, dropped=lambda: None)
    inbox.put(message("last"))

    inbox.end(lambda: EOFError("over"))

    assert inbox.pop(None).body == "last"
    for attempt in (inbox.pop, lambda within: inbox.remove_first(lambda m: True, within)):
        with pytest.raises(EOFError):
            attempt(None)


def test_a_field_is_found_at_a_dotted_path():
    value = {"payload": [{"ref": 7}], "id": None}

    assert field_of(value, "payload.0.ref") == 7
    assert field_of(value, "id") is None
    assert field_of(value, "payload.ref") is field_of(value, "id.x") is field_of(7, "x")


def test_a_reply_without_the_field_is_none_and_text_that_is_json_has_fields_too():
    wants = match_reply('{"id": 1}', "id")

    assert wants(message('{"id": 1, "ok": true}'))
    assert not wants(message('{"id": 2}'))
    assert not wants(message("[]"))
    assert not wants(message("not json"))
    assert wants.value_of(message('{"id": 1}')) == '{"id": 1}'


def test_marks_keep_the_newest_keys_alone():
    marks = RoundTripStarts(most=2)

    forgotten = [marks.mark(key, at) for key, at in [("a", 1.0), ("b", 2.0), ("a", 3.0), ("c", 4.0)]]

    assert forgotten == [False, False, False, True]
    assert [marks.since(key) for key in "abc"] == [3.0, None, 4.0]
    assert len(marks) == 2
