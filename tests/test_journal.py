"""`kill -9` of an engine loses nothing that its recorder was given."""

import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stage import Stage
from thorough import examples
from waits import lasting

from chaperon.cluster.journal.journal import SEALED, Journal, window_file
from chaperon.cluster.journal.journal_file import COMMIT, DROPPED, HEADER_SIZE, OUTCOMES, JournalHeader
from chaperon.cluster.journal.journal_texts import HiddenNames, JournalTexts
from chaperon.cluster.journal.private_dir import PrivateDir
from chaperon.cluster.journal.recovery import NO_ROOM, TRUNCATED, recover
from chaperon.errors import JournalError
from chaperon.load.feeder import UniqueRows
from chaperon.load.shapes import iterations, rate, users
from chaperon.measure.recorder import REFUSED, Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.window import RunEvent
from chaperon.testing import VirtualClock

pytestmark = [pytest.mark.long, pytest.mark.compiled]

WHO = JournalHeader("worker-1", 2**62 + 1, 7, began=100.0, second=3)
KEY = Key("shop", "GET /")
SMALL = 1 << 14


@contextmanager
def a_folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


class Life:
    """An engine's recorder beside its journal, with what a master would have to be sent if it died now."""

    def __init__(self, folder, **sizes):
        self.hidden = HiddenNames()
        texts = JournalTexts(send_name=self.hidden.add)
        self.journal = Journal(folder / "life", WHO, texts=texts, **{"size": SMALL, **sizes})
        self.recorder = self._recorder(self.journal)
        self.twin = self._recorder(None)
        self.unacknowledged = {}

    @staticmethod
    def _recorder(journal):
        return Recorder(WHO.worker, began=WHO.began, second=WHO.second, journal=journal)

    def both(self, verb, *args, **named):
        getattr(self.recorder, verb)(*args, **named)
        getattr(self.twin, verb)(*args, **named)

    def cut(self, **seen):
        self.twin.cut(**seen)
        window = self.recorder.cut(**seen)
        body = f"window {window.seq} of {sum(s.count for s in window.series.values())}".encode()
        self.journal.seal(window, body)
        self.unacknowledged[window.seq] = body

    def acknowledge(self, upto):
        self.journal.acknowledge(upto)
        self.unacknowledged = {seq: body for seq, body in self.unacknowledged.items() if seq > upto}


def contents(window):
    """All that a window says, as plain values that are equal only where every figure is."""
    series = {
        key: [(sketch.count, sketch.total, sketch.low, sketch.high, sketch.as_dict()) for sketch in
              s.sketches] + [s.bytes, s.last, s.slowest]
        for key, s in window.series.items()
    }  # fmt: skip
    return (
        window.worker,
        window.seq,
        window.at,
        series,
        {place: astuple(counts) for place, counts in window.ledger.items()},
        {where: astuple(trouble) for where, trouble in window.errors.items()},
        dict(window.notes),
        list(window.happenings),
    )


def is_empty(window):
    return not (window.series or window.ledger or window.notes or window.happenings)


words = st.text(st.characters(codec="utf-8"), max_size=8)
moments = st.floats(100, 1e5)
keys = st.builds(
    Key,
    st.sampled_from(["shop", "éclair"]),
    words,
    st.sampled_from(["http", "visit", "value", "gauge", "ws"]),
    st.sampled_from(["steady", "ramp"]),
    st.sampled_from([(), (("size", "large"),), (("a", "1"), ("b", "2"))]),
)
failures = st.none() | st.builds(Failure, st.sampled_from(["timeout", "HTTP 503"]), words, st.booleans())
values = st.none() | st.floats(allow_nan=True, allow_infinity=True)
sizes = st.integers(0, 2**40)
samples = st.builds(Sample, keys, moments, moments, failures, sizes, st.none() | moments, values)
deeds = st.one_of(
    samples.map(lambda s: ("record", s)),
    st.tuples(st.just("fail"), samples, words),
    st.tuples(st.just("count_visit"), st.sampled_from(["shop", "éclair"]), moments, st.sampled_from(OUTCOMES)),
    st.tuples(st.just("count_note"), words),
    st.builds(RunEvent, moments, words, words, moments).map(lambda h: ("record_event", h)),
    st.just(("cut",)),
    st.integers(0, 3).map(lambda behind: ("acknowledge", behind)),
)


def perform(life, deed):
    match deed:
        case ("cut",):
            life.cut()
        case ("acknowledge", behind):
            life.acknowledge(life.journal.seq - 1 - behind)
        case ("fail", sample, reason):
            life.both("record", sample)
            before = None if sample.failure is None else sample.failure.error
            life.both("amend", sample.key, sample.start, sample.end, before, Failure(f"failed {reason}", reason))
        case (verb, *args):
            life.both(verb, *args)


ODD = Sample(Key("shop", "\0"), 100.0, 100.0)
"""A name with what marks a hidden name in a journal: it is written as such a name is."""


@example([("record", ODD), ("cut",), ("record", ODD)])
@example([("count_note", "\0"), ("count_note", "a\x007"), ("record_event", RunEvent(100.0, "blocked", "\0b", 100.0))])
@example([("fail", ODD, "\x001")])
@settings(max_examples=examples(60))
@given(st.lists(deeds, max_size=25))
def test_whenever_it_dies_what_is_recovered_is_all_that_was_not_acknowledged(history):
    with a_folder() as folder:
        life = Life(folder)

        for deed in history:
            perform(life, deed)

        found = recover(life.journal.folder)
        whole = life.twin.cut()
        assert dict(found.sealed) == life.unacknowledged
        unsealed = [contents(life.hidden.restore(window)) for window in found.unsealed]
        assert unsealed == ([] if is_empty(whole) else [contents(whole)])
        assert found.cut == (whole.seq - 1 if is_empty(whole) else whole.seq)
        assert found.header == WHO


@settings(max_examples=examples(15))
@given(st.lists(samples, min_size=1, max_size=4), st.binary(min_size=80, max_size=200))
def test_a_kill_inside_a_store_leaves_what_was_there_before(taken, debris):
    with a_folder() as folder:
        life = Life(folder)
        for sample in taken:
            life.both("record", sample)
        before = contents(recover(life.journal.folder).unsealed[0])
        path = life.journal.folder / "open"
        data = path.read_bytes()
        end = struct.unpack_from("=Q", data, COMMIT * 8)[0] & 0xFFFFFFFF

        for length in range(0, len(debris), 7):  # so much of the next fact was written when the end came
            path.write_bytes(data[:end] + debris[:length] + data[end + length :])

            assert contents(recover(life.journal.folder).unsealed[0]) == before


@settings(max_examples=5)
@given(st.lists(samples, min_size=1, max_size=4))
def test_a_kill_inside_sealing_counts_the_window_once(taken):
    with a_folder() as folder:
        life = Life(folder)
        for sample in taken:
            life.both("record", sample)
        path = life.journal.folder / "open"
        unturned = path.read_bytes()
        raw = contents(recover(life.journal.folder).unsealed[0])
        life.cut()
        sealed = window_file(life.journal.folder, 1)
        whole = sealed.read_bytes()
        body = whole[SEALED.size :]
        path.write_bytes(unturned)

        for length in range(len(whole) + 1):
            sealed.write_bytes(whole[:length])
            found = recover(life.journal.folder)

            if length < len(whole):
                assert ([contents(w) for w in found.unsealed], list(found.sealed), found.cut) == ([raw], [], 1)
            else:
                assert (list(found.unsealed), list(found.sealed), found.cut) == ([], [(1, body)], 1)


def test_a_file_that_is_cut_off_gives_every_fact_before_the_cut():
    with a_folder() as folder:
        life = Life(folder)
        ends = []
        for second in range(6):
            life.recorder.record(Sample(KEY, 100.0 + second, 100.5 + second, None, 10))
            life.recorder.record(Sample(KEY, 100.0, 101.0, Failure("timeout", f"no. {second}"), 0, 99.0))
            data = (life.journal.folder / "open").read_bytes()
            ends.append(struct.unpack_from("=Q", data, COMMIT * 8)[0] & 0xFFFFFFFF)
        path = life.journal.folder / "open"

        for length in range(HEADER_SIZE, ends[-1] + 1):
            path.write_bytes(data[:length])
            found = recover(life.journal.folder)
            count = sum(s.count for w in found.unsealed for s in w.series.values())

            assert count >= 2 * sum(end <= length for end in ends)
            assert count <= 2 * sum(end <= length for end in ends) + 1
            assert all(w.notes.get(TRUNCATED, 0) == (length < ends[-1]) for w in found.unsealed)


@pytest.mark.parametrize("damage", ["short", "magic", "owner", "gone"])
def test_what_is_no_journal_is_refused(tmp_path, damage):
    Journal(tmp_path / "life", WHO, size=SMALL).close()
    journal = Journal(tmp_path / "life", WHO, size=SMALL)
    path = journal.folder / "open"
    data = bytearray(path.read_bytes())
    match damage:
        case "short":
            path.write_bytes(data[: HEADER_SIZE - 1])
        case "magic":
            path.write_bytes(b"CHAPJRN1" + data[8:])
        case "owner":
            data[40] ^= 1
            path.write_bytes(data)
        case "gone":
            path.unlink()

    with pytest.raises(JournalError):
        recover(journal.folder)


def test_damage_within_ends_the_reading_and_is_said():
    with a_folder() as folder:
        life = Life(folder)
        life.recorder.record(Sample(KEY, 1.0, 2.0))
        path = life.journal.folder / "open"
        data = bytearray(path.read_bytes())
        first = struct.unpack_from("=Q", data, COMMIT * 8)[0] & 0xFFFFFFFF
        life.recorder.record(Sample(KEY, 1.0, 2.0))
        data = bytearray(path.read_bytes())
        data[first] = 0xFF

        path.write_bytes(data)
        (rest,) = recover(life.journal.folder).unsealed

        assert rest.series[KEY].count == 1
        assert rest.notes == {TRUNCATED: 1}


def test_progress_counts_on_from_where_a_share_was_taken_up():
    with a_folder() as folder:
        life = Life(folder)
        life.journal.note_share_start("0:1/4", 40, 3)
        for fate in ("planned", "planned", "done", "planned", "dropped", "planned", "failed", "planned", "lost"):
            life.recorder.count_visit("shop", 101.0, fate, share="0:1/4")
        early = recover(life.journal.folder).unsealed[0].progress

        life.recorder.record_rows("0:1/4", 4)
        dealt = recover(life.journal.folder).unsealed[0].progress

        life.cut(progress={"0:1/4": (45, 2, 4), "0:2/4": (7, 7, 0)})
        life.recorder.count_visit("shop", 102.0, "planned", share="0:2/4")
        (later,) = recover(life.journal.folder).unsealed

        assert early == {"0:1/4": (45, 2, 3)}
        assert dealt == {"0:1/4": (45, 2, 4)}
        assert later.progress == {"0:1/4": (45, 2, 4), "0:2/4": (8, 7, 0)}


@pytest.mark.parametrize("load", [rate(20, hold=10), users(9, hold=6), iterations(50, users=6)], ids=str)
@pytest.mark.parametrize("until", [0.0, 1.03, 2.47, 7.3])
def test_whoever_takes_over_a_share_knows_to_the_visit_where_it_stood(load, until):
    with a_folder() as folder:
        journal = Journal(folder / "life", replace(WHO, began=VirtualClock().now()), size=SMALL)
        stage = Stage(load, shares=4, took=0.35, journal=journal)
        dealer = UniqueRows(stage.progress, stage.recorder.record_rows)
        for share in stage.shares:
            journal.note_share_start(share.name, share.start, share.rows)

        stage.play(until=until)
        for _ in range(5):
            dealer.next("people", 1_000)

        (found,) = recover(journal.folder).unsealed
        assert found.progress == stage.engine.progress
        assert found.ledger == stage.recorder.cut().ledger


def test_it_grows_to_its_bound_then_counts_what_it_has_no_room_for():
    with a_folder() as folder:
        life = Life(folder, size=1 << 10, max_size=1 << 12)
        for _ in range(1_000):
            life.recorder.record(Sample(KEY, 1.0, 2.0))
        path = life.journal.folder / "open"

        (rest,) = recover(life.journal.folder).unsealed
        kept = rest.series[KEY].count
        size = path.stat().st_size
        life.cut()

        assert 100 < kept < 1_000
        assert rest.notes == {NO_ROOM: 1_000 - kept}
        assert size == HEADER_SIZE + (1 << 12)
        assert recover(life.journal.folder).unsealed == ()
        assert struct.unpack_from("=Q", path.read_bytes(), DROPPED * 8) == (0,)


def test_its_folder_stays_small_however_long_it_goes_on():
    with a_folder() as folder:
        life = Life(folder)

        for seq in range(1, 300):
            for _ in range(50):
                life.recorder.record(Sample(KEY, 1.0, 2.0))
            life.cut()
            life.acknowledge(seq - 2)

        assert sum(path.stat().st_size for path in life.journal.folder.iterdir()) < HEADER_SIZE + SMALL + 10_000
        assert len(list(life.journal.folder.iterdir())) == 3


def test_a_thousand_words_of_failures_then_their_class_alone():
    with a_folder() as folder:
        life = Life(folder, max_size=1 << 20)
        for number in range(3_000):
            life.both("record", Sample(KEY, 1.0, 2.0, Failure("KeyError", f"'{number}'")))

        (rest,) = recover(life.journal.folder).unsealed

        assert contents(rest) == contents(life.twin.cut())
        assert rest.series[KEY].errors == 3_000


def test_what_no_file_has_room_for_is_counted_not_raised():
    with a_folder() as folder:
        life = Life(folder)

        life.journal.record_fields(KEY, 1.0, 2.0, None, 0, None, 10**400)
        life.journal.record_fields(KEY, 1.0, 2.0, None, 2**70, None, None)
        life.journal.record_fields(KEY, 1.0, 2.0, None, -5, None, None)

        (rest,) = recover(life.journal.folder).unsealed
        assert rest.notes == {NO_ROOM: 2}
        assert rest.series[KEY].bytes == 0  # no number of bytes: a recorder leaves it out


def test_refused_samples_are_told_too():
    with a_folder() as folder:
        life = Life(folder)

        life.recorder.record(Sample(KEY, 2.0, 1.0))
        life.recorder.record(Sample(KEY, 2.0, float("nan")))

        assert recover(life.journal.folder).unsealed[0].notes == {REFUSED: 2}


def test_a_window_out_of_turn_is_a_fault():
    with a_folder() as folder:
        life = Life(folder)
        window = life.recorder.cut()
        life.journal.seal(window, b"")

        with pytest.raises(JournalError, match="window 2 is the open one"):
            life.journal.seal(window, b"")


def test_closed_it_goes_if_all_was_acknowledged_else_it_stays():
    with a_folder() as folder:
        life = Life(folder)
        life.both("record", Sample(KEY, 1.0, 2.0))
        life.cut(progress={"0:0/1": (1, 1, 0)})
        (folder / "another").mkdir()
        kept = Life(folder / "another")

        life.acknowledge(1)
        life.journal.close()
        life.recorder.record(Sample(KEY, 1.0, 2.0))  # by code that ignores its interrupt
        life.recorder.count_visit("shop", 1.0, "done")
        life.journal.close()
        kept.recorder.record(Sample(KEY, 1.0, 2.0))
        kept.journal.close()

        assert not life.journal.folder.exists()
        assert recover(kept.journal.folder).unsealed[0].series[KEY].count == 1


def test_a_place_without_room_is_refused_at_once_with_the_reason(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    try:
        with pytest.raises(JournalError, match=r"no journal can be kept in .*: File too large"):
            Journal(tmp_path / "life", WHO, size=1 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_window_that_cannot_be_written_is_told_and_the_next_is_kept():
    with a_folder() as folder:
        life = Life(folder)
        window_file(life.journal.folder, 1).mkdir()

        life.both("record", Sample(KEY, 1.0, 2.0))
        life.cut()
        fault = life.journal.fault
        window_file(life.journal.folder, 1).rmdir()
        life.both("record", Sample(KEY, 1.0, 2.0))
        life.cut()

        assert "window 1 could not be written" in fault
        assert life.journal.fault is None
        assert [seq for seq, _ in recover(life.journal.folder).sealed] == [2]


def test_only_the_owner_can_read_it(tmp_path):
    with PrivateDir(tmp_path) as private_dir:
        life = Life(private_dir.folder)
        life.cut()

        assert private_dir.folder.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in private_dir.folder.rglob("*"))
        assert list(private_dir.journal_folders()) == [life.journal.folder]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.processes
def test_what_the_killed_left_behind_is_taken_away_by_the_next_but_nobody_elses(tmp_path):
    script = f"""
import os, signal
from pathlib import Path
from chaperon.cluster.journal.journal_texts import HiddenNames, JournalTexts
from chaperon.cluster.journal.private_dir import PrivateDir
shelter = PrivateDir(Path({str(tmp_path)!r}))
(shelter.folder / "remains").mkdir()
os.kill(os.getpid(), signal.SIGKILL)
"""
    living = PrivateDir(tmp_path)
    subprocess.run([sys.executable, "-c", script], check=False)
    left = len(list(tmp_path.iterdir()))

    with PrivateDir(tmp_path) as another:
        there = set(tmp_path.iterdir())

    assert left == 2
    assert there == {living.folder, another.folder}
    living.close()


RECORDS_FOR_EVER = """
import mmap, struct, sys
from itertools import count
from pathlib import Path
from chaperon.cluster.journal.journal_file import JournalHeader
from chaperon.cluster.journal.journal import Journal
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key

folder, acknowledging = Path(sys.argv[1]), int(sys.argv[2])
file = (folder / "tally").open("r+b")
tally = mmap.mmap(file.fileno(), 64)
words = memoryview(tally).cast("Q")
journal = Journal(folder / "journal", JournalHeader("w", 1, 1, began=0.0), size=1 << 14)
recorder = Recorder("w", began=0.0, journal=journal)
keys = [Key("shop", f"GET /{n}") for n in range(7)]
failure = Failure("timeout", "no answer")
print("recording", flush=True)
for n in count(1):
    bad = n % 5 == 0
    recorder.record_fields(keys[n % 7], 1.0, 2.0, failure if bad else None, n % 100, 0.5 if n % 3 == 0 else None, None)
    words[0] = n                                  # so many are recorded, or one more
    if n % 11 == 0:
        recorder.count_visit("shop", 1.0, "done")
        words[1] += 1
    if n % 997 == 0:
        window = recorder.cut()
        journal.seal(window, str(sum(s.count for s in window.series.values())).encode())
        if acknowledging:
            upto = window.seq - 2
            journal.acknowledge(upto)            # these are somebody else's now
            words[2] = max(upto, 0)
"""


@pytest.mark.faults
@pytest.mark.parametrize("acknowledging", [True, False])
@pytest.mark.parametrize("after", [0.0, 0.003, 0.011, 0.05, 0.13, 0.3])
def test_killed_at_any_moment_recovered_with_acknowledged_is_all_that_was_recorded(tmp_path, after, acknowledging):
    (tmp_path / "tally").write_bytes(bytes(64))
    engine = subprocess.Popen(
        [sys.executable, "-c", RECORDS_FOR_EVER, str(tmp_path), str(int(acknowledging))], stdout=subprocess.PIPE
    )
    engine.stdout.readline()
    lasting(after)

    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    recorded, accounted, acknowledged = struct.unpack_from("=3Q", (tmp_path / "tally").read_bytes())
    found = recover(tmp_path / "journal")

    bodies = dict(found.sealed)
    sealed = sum(int(body) for body in bodies.values())
    gone = 997 * (min(bodies, default=found.cut - len(found.unsealed) + 1) - 1)
    rest = sum(s.count for w in found.unsealed for s in w.series.values())
    assert gone // 997 >= acknowledged
    assert gone + sealed + rest - recorded in (0, 1)
    assert recorded or not after
    if not acknowledging:
        done = sum(c.done for w in found.unsealed for c in w.ledger.values())
        assert done <= accounted + 1
    assert not Counter(n for w in found.unsealed for n in w.notes.elements())
