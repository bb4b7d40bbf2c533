"""What others send is bounded in size, and at twice each bound there is a word that says it was reached."""

from dataclasses import replace

import pytest

from chaperon._version import VERSION
from chaperon.cluster.fleet_caps import MAX_NOTES, OTHER_NOTES, FleetCaps
from chaperon.cluster.master import admission, workers
from chaperon.cluster.master.workers import WorkerRegistry
from chaperon.cluster.protocol.codec import encode
from chaperon.cluster.protocol.messages import Hello, WindowFrame
from chaperon.cluster.worker import window_size
from chaperon.cluster.worker.window_size import UNNAMED, UNTAGGED, pack_to_fit
from chaperon.errors import WindowTooLarge
from chaperon.measure.caps import ERRORS, ERRORS_CAPPED, NAMES, NAMES_CAPPED, OTHER
from chaperon.measure.encoding import window_codec
from chaperon.measure.encoding.strict_msgpack import LARGEST
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Key, Sample
from chaperon.measure.window import ErrorCount, RunEvent, Window
from chaperon.report.collector import Collector
from chaperon.report.run_sums import HAPPENINGS_CAPPED


def window_of(keys, each=1):
    recorder = Recorder("w", began=0.0)
    for key in keys:
        for k in range(each):
            recorder.record(Sample(key, 0.1, 0.2 + k / 1000, None, 3))
    return recorder.cut()


def sizes(window):
    return sum(series.count for series in window.series.values()), sum(s.bytes for s in window.series.values())


@pytest.mark.long
def test_a_window_at_twice_the_bound_loses_tags_and_no_sample():
    keys = [Key("shop", "GET /", "http", tags=(("id", f"{k}-{'x' * 180}"),)) for k in range(9_900)]
    window = window_of(keys, each=40)
    with pytest.raises(WindowTooLarge, match="exceeds the limit of 4,194,304 for a message"):
        pack_window(window, began=0.0)

    body = pack_to_fit(window, began=0.0)

    there = unpack_window(body, "w", began=0.0)
    assert len(encode(WindowFrame("w", 1, 1, 1, body))) <= LARGEST
    assert sizes(there) == sizes(window)
    assert there.notes[UNTAGGED] == 1
    assert [key.tags for key in there.series] == [()]


@pytest.mark.parametrize("most", [12_000, 30_000, 60_000])
def test_a_window_with_too_many_names_keeps_the_ones_with_most_samples(monkeypatch, most):
    monkeypatch.setattr(window_codec, "LARGEST", most)
    keys = [Key("shop", f"GET /{k}", "http") for k in range(900)]
    often = Key("shop", "GET /often", "http")
    window = window_of([*keys, *[often] * 50])

    body = pack_to_fit(window, began=0.0)

    there = unpack_window(body, "w", began=0.0)
    assert sizes(there) == sizes(window)
    assert there.notes[UNNAMED] == 1
    assert there.series[often].count == 50
    assert there.series[Key("shop", OTHER, "http")].count > 100


def test_a_window_that_nothing_makes_small_enough_is_said(monkeypatch):
    monkeypatch.setattr(window_codec, "LARGEST", 10)

    with pytest.raises(WindowTooLarge, match="exceeds the limit of 10 for a message"):
        pack_to_fit(window_of([Key("shop", "GET /", "http")]), began=0.0)
    assert window_size.NAMES_KEPT[-1] == 0


HELLO = ("alpha", 1, VERSION, "3.11", "host", 2, 1.0)


@pytest.mark.parametrize(("place", "what"), [(0, "name"), (2, "Chaperon"), (3, "Python"), (4, "host")])
def test_a_hello_at_twice_the_bound_is_refused_by_what_is_too_long(place, what):
    said = list(HELLO)
    said[place] = "x" * 2 * workers.MAX_NAME

    assert WorkerRegistry(10.0).admit(Hello(*said), 0.0) == f"its {what} has 400 characters, 200 are the most"


@pytest.mark.parametrize("same", [False, True])
def test_twice_as_many_workers_as_there_is_room_for_are_refused(monkeypatch, same):
    monkeypatch.setattr(workers, "MAX_WORKERS", 50)
    there = WorkerRegistry(10.0)
    answers = [there.admit(Hello("alpha" if same else f"w{k}", k, *HELLO[2:]), 0.0) for k in range(100)]

    full = "this master has had 50 workers, which is the maximum"
    refused = [answer for answer in answers if answer == full]
    assert len(refused) >= 49
    assert len(list(there)) <= 50
    assert len(there._contested) <= 50


def test_twice_as_many_strangers_as_are_told_of_are_not_kept(monkeypatch):
    monkeypatch.setattr(admission, "MAX_REPORTED", 20)
    told = []

    class Link:
        def send(self, peer, message):
            pass

    door = admission.Admission(Link(), None, lambda hello, now: "it is too old", lambda: None, told.append)
    for k in range(40):
        door.handle_hello(b"%d" % k, Hello(f"w{k}", k, *HELLO[2:]), 0.0)

    assert len(told) == 21
    assert told[-1] == "more than 20 workers were refused: further ones are not reported"
    assert len(door.refused) == 20


def test_twice_the_names_keys_errors_notes_of_a_run_from_many_workers_are_counted_together():
    caps, collector = FleetCaps(), Collector([f"w{k}" for k in range(20)])
    for k in range(20):
        keys = [Key("shop", f"GET /{k}/{n}", "http") for n in range(NAMES // 10)]
        window = window_of(keys)
        errors = {("shop", f"GET /{k}", f"E{n}"): ErrorCount(1, 0.0, 0.0, "no") for n in range(20)}
        notes = {f"{k} said {n}": 1 for n in range(MAX_NOTES // 10)}
        collector.add(caps.apply(replace(window, worker=f"w{k}", errors=errors, notes=notes)))

    totals = collector.totals()
    assert sum(series.count for series in totals.series.values()) == 2 * NAMES
    assert len(totals.series) == NAMES + 1
    assert totals.series[Key("shop", OTHER, "http")].count == NAMES
    assert totals.notes[NAMES_CAPPED] == NAMES
    assert len(totals.errors) == ERRORS + 1
    assert sum(trouble.count for trouble in totals.errors.values()) == 400
    assert totals.notes[ERRORS_CAPPED] == 200
    assert totals.notes[OTHER_NOTES] >= MAX_NOTES
    assert len(totals.notes) <= MAX_NOTES + 4


def test_a_window_of_what_is_known_is_added_as_it_is():
    caps = FleetCaps()
    window = window_of([Key("shop", "GET /", "http")])

    assert caps.apply(window) is window
    assert caps.apply(window) is window


def test_twice_the_happenings_of_a_run_are_said_to_be_left_out():
    collector = Collector(["w"])
    for seq in range(1, 2_001):
        collector.add(Window("w", seq, seq - 1, happenings=[RunEvent(float(seq), "blocked", "x")]))

    totals = collector.totals()
    assert len(totals.happenings) == 1_000
    assert totals.notes[HAPPENINGS_CAPPED] == 1_000
