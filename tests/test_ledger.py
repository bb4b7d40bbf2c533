"""Shares are dealt fairly, once each; what is lost is said once, and taken back when it turns up."""

from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from chaperon import rate, users
from chaperon.cluster.master.leases import LeaseTable
from chaperon.cluster.master.windows import LossCorrections, WindowSequencer
from chaperon.cluster.protocol.messages import Lease
from chaperon.cluster.transport.outbox import Outbox
from chaperon.cluster.worker.clock_offset import ClockOffset
from chaperon.load.share import deal
from chaperon.measure.window import VisitCounts, Window

A, B, C = ("a", 1), ("b", 1), ("c", 1)


def dealt(ledger, peers, now=0.0):
    """Let the peers claim what is offered, in turn, until nothing is left."""
    for turn in range(500):
        for lease in ledger.offers(now):
            peer = peers[turn % len(peers)]
            ledger.claim(peer, lease)
            ledger.confirm(peer, [lease])
            turn += 1
        if ledger.all_dealt:
            return ledger
    raise AssertionError(f"never all dealt: {ledger}")


def ledger_of(n, capacities, load=None):
    ledger = LeaseTable(deal([("shop", load or rate(10, hold=60))], n))
    ledger.set_capacities(capacities)
    return ledger


def test_shares_are_divided_by_capacity_whoever_is_quickest():
    ledger = dealt(ledger_of(16, {A: 1, B: 3}), [A, A, A, B])

    assert [len(ledger.leases(p)) for p in (A, B)] == [4, 12]


def test_an_offer_can_be_claimed_once():
    ledger = ledger_of(1, {A: 1, B: 1}, users(1))
    (offer,) = ledger.offers(0.0)

    assert ledger.claim(A, offer)
    assert not ledger.claim(B, offer)
    assert ledger.claim(A, offer)


def test_what_is_not_sent_is_not_offered():
    ledger = ledger_of(8, {A: 1})

    ledger.withdraw_offer(next(ledger.offers(0.0)))  # the queue to the workers is full

    assert [lease.attempt for lease in ledger.offers(0.0)] == [2, *[1] * 7]


def test_an_offer_nobody_claims_is_made_again_and_the_old_one_is_void():
    ledger = ledger_of(1, {A: 1}, users(1))
    (first,) = ledger.offers(0.0)

    assert not list(ledger.offers(0.9))
    (second,) = ledger.offers(1.0)
    assert not ledger.claim(A, first)
    assert ledger.claim(A, second)


def test_shares_of_one_given_up_are_dealt_again_from_where_they_stood():
    ledger = dealt(ledger_of(4, {A: 1, B: 1}), [A, B])
    gone = ledger.leases(B)

    ledger.revoke(B, {gone[0].share: (7, 3)})
    ledger.set_capacities({A: 1})
    offers = {lease.share: lease for lease in ledger.offers(5.0)}

    assert offers[gone[0].share].start == 7
    assert offers[gone[0].share].rows == 3
    assert all(lease.count_missed_as_lost for lease in offers.values())
    assert not any(ledger.claim(B, lease) for lease in offers.values())
    assert all(ledger.claim(A, lease) for lease in offers.values())


def test_a_late_joiner_gets_its_part_from_those_who_have_more():
    ledger = dealt(ledger_of(8, {A: 1}), [A])

    ledger.set_capacities({A: 1, B: 1})
    wanted = ledger.leases(A)
    for name in {lease.share for lease in ledger.all_leases(A)} - {lease.share for lease in wanted}:
        ledger.accept_return(A, Lease(name, 1, start=11))
    dealt(ledger, [B])

    assert len(wanted) == 4
    assert {lease.start for lease in ledger.leases(B)} == {11}
    assert not any(lease.count_missed_as_lost for lease in ledger.leases(B))


def test_what_is_reported_of_an_earlier_attempt_is_ignored():
    ledger = dealt(ledger_of(1, {A: 1, B: 1}, users(1)), [A])
    old = ledger.leases(A)[0]
    ledger.revoke(A, {})
    dealt(ledger, [B])

    ledger.complete(A, old)
    ledger.accept_return(A, old)

    assert len(ledger.leases(B)) == 1
    assert not ledger.all_done


@settings(max_examples=examples(80))
@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.lists(st.floats(0.2, 5), min_size=1, max_size=6))
def test_dealing_always_comes_to_an_end_with_nobody_over_a_fair_part_but_one(crowds, capacities):
    peers = [(f"w{k}", 1) for k in range(len(capacities))]
    loads = [(f"e{k}", users(n)) for k, n in enumerate(crowds)]
    ledger = LeaseTable(deal(loads, 8 * len(peers)))
    ledger.set_capacities(dict(zip(peers, capacities, strict=True)))

    dealt(ledger, peers)

    whole = sum(len(ledger.leases(p)) for p in peers)
    for peer, capacity in zip(peers, capacities, strict=True):
        fair = whole * capacity / sum(capacities)
        assert len(ledger.leases(peer)) <= fair + 1 + len(crowds)


def window(seq, planned=0, done=0, lost=0, at=0, taken=None):
    ledger = {("shop", at): VisitCounts(planned=planned, done=done, lost=lost)}
    return Window("a", seq, at, ledger=ledger, progress={} if taken is None else {"0:0/1": (taken, 0, 0)})


@given(st.permutations(range(1, 9)), st.data())
def test_windows_are_let_through_in_order_and_once_each(order, data):
    account = WindowSequencer()
    again = data.draw(st.lists(st.sampled_from(order)))

    through = [w.seq for seq in [*order, *again] for w in account.accept(window(seq))]

    assert through == list(range(1, 9))
    assert account.duplicates == len(again)


def test_what_was_begun_on_a_lost_worker_is_lost_until_its_end_turns_up():
    account, losses = WindowSequencer(), LossCorrections()
    account.accept(window(1, planned=10, done=7))
    account.close()

    lost = losses.update_in_flight({A: account})
    nothing_more = losses.update_in_flight({A: account})
    account.accept(window(2, done=2))
    found = losses.update_in_flight({A: account})

    assert lost == {("shop", 0): VisitCounts(lost=3)}
    assert nothing_more == {}
    assert found == {("shop", 0): VisitCounts(lost=-2)}


def test_an_arrival_its_successor_declared_lost_is_not_when_it_turns_out_to_be_made():
    losses, scheduled = LossCorrections(), frozenset({"shop"})

    declared = losses.record_window(window(1, planned=5, lost=5), given_up=False, scheduled=scheduled, found={})
    turned_up = losses.record_window(window(9, planned=3, done=3), given_up=True, scheduled=scheduled, found={})

    assert declared == {}
    assert turned_up == {("shop", 0): VisitCounts(planned=-3, lost=-3)}
    assert losses.duplicated == 0


def test_what_both_have_made_is_counted_as_made_twice():
    losses, scheduled = LossCorrections(), frozenset({"shop"})

    changes = losses.record_window(window(9, planned=4, done=4), given_up=True, scheduled=scheduled, found={})

    assert changes == {}
    assert losses.duplicated == 4


def test_progress_is_what_the_windows_without_a_gap_say():
    account = WindowSequencer()
    account.accept(window(1, taken=5))
    account.accept(window(3, taken=15))

    assert account.progress == {"0:0/1": (5, 0)}
    assert [w.seq for w in account.close()] == [3]
    assert account.progress == {"0:0/1": (5, 0)}


def test_an_unacknowledged_window_is_sent_again_with_growing_patience():
    outbox, sent = Outbox(), []

    outbox.put(1, b"one")
    for now in range(40):
        outbox.flush(now, lambda seq, body, now=now: sent.append(now) is None)
    outbox.acknowledge(1)
    outbox.flush(100, lambda seq, body: sent.append("after its acknowledgement") is None)

    assert sent == [0, 2, 6, 14, 29]
    assert not outbox


def test_only_a_few_windows_are_under_way_at_once():
    outbox, sent = Outbox(), []
    for seq in range(1, 31):
        outbox.put(seq, b"")

    outbox.flush(0.0, lambda seq, body: sent.append(seq) is None)
    outbox.acknowledge(5)
    outbox.flush(0.1, lambda seq, body: sent.append(seq) is None)

    assert sent == list(range(1, 14))


@given(st.floats(-1e6, 1e6), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_a_clocks_offset_is_known_to_half_the_quickest_round_trip(ahead, trips):
    offset, now = ClockOffset(), 50.0
    for there, back in trips:
        offset.record(now, now + there + ahead, now + there + ahead, now + there + back)
        now += 1

    assert abs(offset.ahead - ahead) <= offset.round_trip / 2 + 1e-6


def test_an_offer_that_could_not_be_sent_is_made_again_at_once():
    ledger = LeaseTable(deal([("shop", rate(10, hold=5))], 2))
    first, _ = ledger.offers(0.0)

    ledger.withdraw_offer(first)

    (again,) = ledger.offers(0.01)
    assert again.share == first.share
    assert again.attempt == first.attempt + 1
