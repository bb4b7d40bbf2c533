"""A secret that only a worker knows leaves the worker in no message, neither in texts nor in names of series."""

from urllib.parse import quote

import gevent
import pytest
from packed_windows import blocks_in
from test_fleet import Ground

from chaperon import Environment, Scenario, rate, run, step
from chaperon.cluster.journal.journal import Journal
from chaperon.cluster.journal.journal_file import INITIAL_SIZE, JournalHeader
from chaperon.cluster.journal.journal_texts import HiddenNames, JournalTexts
from chaperon.cluster.journal.orphaned_windows import OrphanedWindows
from chaperon.cluster.protocol.codec import decode
from chaperon.cluster.protocol.fingerprint import fingerprint
from chaperon.cluster.protocol.messages import WindowFrame, WindowsReceived
from chaperon.cluster.worker.parent_pipe import MOST_WAITING, NameReader, NameSender, connected_pair
from chaperon.cluster.worker.window_redactor import WindowRedactor
from chaperon.measure.encoding.window_codec import pack_window, unpack_window
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.window import RunEvent, Window
from chaperon.report.redaction.redaction import Redactor
from chaperon.testing import VirtualClock

OWN, SHARED = "wort-47 & more", "europe-west"


@pytest.fixture
def redact():
    redact = WindowRedactor(Redactor(), lambda secret: secret == SHARED)
    redact.add({OWN, SHARED})
    return redact


def leaking(files, secrets):
    """The files with a secret in them, also where it is compressed."""
    found = []
    for name, data in files.items():
        found += [
            (name, secret) for layer in (data, *blocks_in(data)) for secret in secrets if secret.encode() in layer
        ]
    return found


def window_of(*samples):
    recorder = Recorder("alpha", began=0.0)
    for sample in samples:
        recorder.record(sample)
    return recorder.cut()


@pytest.mark.parametrize("form", [OWN, quote(OWN), OWN.replace("&", "&amp;")])
def test_names_tags_and_errors_lose_what_the_master_does_not_know(redact, form):
    key = Key("shop", f"GET /{form}/cart", "http", tags=((form, f"x {form}"),))

    clean = redact(window_of(Sample(key, 0.0, 0.5, Failure("odd", f"no {form}"), 0)))

    assert [(k.name, k.tags) for k in clean.series] == [("GET /***/cart", (("***", "x ***"),))]
    assert [(*where, error.sample) for where, error in clean.errors.items()] == [
        ("shop", "GET /***/cart", "odd", "no ***")
    ]


def test_names_with_a_secret_that_the_master_knows_stay_for_limits_select_by_them(redact):
    key = Key("shop", f"GET /{SHARED}/cart")

    clean = redact(window_of(Sample(key, 0.0, 0.5, Failure("odd", f"no {SHARED}"), 0)))

    assert list(clean.series) == [key]
    assert clean.errors["shop", key.name, "odd"].sample == "no ***"


def test_series_that_have_one_name_afterwards_are_added_up(redact):
    redact.add({"other-99-word"})
    keys = [Key("shop", f"GET /{secret}") for secret in (OWN, "other-99-word")]

    clean = redact(window_of(*(Sample(k, 0.0, 1.0 + n, Failure("odd"), 3) for n, k in enumerate(keys))))

    (series,) = clean.series.values()
    (errors,) = clean.errors.values()
    assert (series.count, series.total, series.bytes, errors.count) == (2, 3.0, 6, 2)


def test_a_window_is_left_as_it_is_where_the_master_knows_all():
    redact = WindowRedactor(Redactor(), lambda secret: True)
    redact.add({SHARED})
    window = Window("alpha", 1, 0)

    assert redact(window) is window


def test_fingerprints_of_one_secret_differ_from_run_to_run():
    assert fingerprint(OWN, 1) == fingerprint(OWN, 1) != fingerprint(OWN, 2)
    assert OWN not in fingerprint(OWN, 1)


class Watched(Ground):
    """A fleet whose messages are kept, with a worker that reads a header from an environment of its own."""

    def __init__(self):
        super().__init__(rate(10, hold=5))
        self.sent = []
        carry = self.net.transmit
        self.net.transmit = lambda peer, data, deliver, *, down: (
            self.sent.append(decode(data)),
            carry(peer, data, deliver, down=down),
        )

        @step
        def look(session):
            with session.measure(f"look at {OWN} in {SHARED}"):
                session.clock.sleep(0.1)

        def environment(**more):
            headers = {"X-Region": SHARED, **more}
            scenario = Scenario(look, name="shop")
            return Environment("http://127.0.0.1:1", scenarios=[run(scenario, rate(10, hold=5))], headers=headers)

        self.environment = environment()
        self.worker("alpha", load_environment=lambda welcome, data: environment(**{"X-Own": OWN}))
        self.fleet(1)


def test_no_message_of_a_worker_holds_a_secret_of_its_own_environment():
    stage = Watched()

    report = stage.play()

    windows = [unpack_window(m.body, "alpha", began=0.0) for m in stage.sent if isinstance(m, WindowFrame)]
    assert {key.name for w in windows for key in w.series if key.kind == "call"} == {f"call look at *** in {SHARED}"}
    assert not [said for said in (*map(repr, windows), *map(repr, stage.sent)) if OWN in said]
    assert [row.name for row in report.rows if row.kind == "call"] == ["call look at *** in ***"]
    assert report.ledger["shop"].done == 50


class Left:
    """The journal of an engine that has died, and what its supervisor knows and sends of it."""

    def __init__(self, folder, redact, *, size=INITIAL_SIZE):
        self.folder, self.names = folder / "left", HiddenNames()
        texts = JournalTexts(redact.text, redact.name, self.names.add)
        self.header = JournalHeader("alpha", 1, 7, began=100.0)
        self.journal = Journal(self.folder, self.header, texts=texts, size=size)
        self.recorder = Recorder("alpha", began=100.0, journal=self.journal)

    def seal(self, redact):
        """Cut a window and seal it as the window sender does."""
        window = redact(self.recorder.cut())
        body = pack_window(self.journal.texts.window(window), began=100.0)
        self.journal.seal(window, body)

    @property
    def files(self):
        return {str(file): file.read_bytes() for file in self.folder.rglob("*") if file.is_file()}

    def sent(self, windows):
        """What the supervisor sends to the master, which acknowledges *windows* of them."""
        net, clock = Ground(rate(1, hold=1)).net, VirtualClock()
        got = []
        net.master.listen(lambda peer, message: got.append(message), lambda peer, exc: None)
        link = net.connect(b"supervisor")
        orphan = OrphanedWindows("alpha", 1, -9, self.folder, link, clock, self.names)
        assert orphan.fault == ""
        sending = gevent.spawn(orphan.send_all)
        clock.run(lambda: len({m.seq for m in got if isinstance(m, WindowFrame)}) == windows)
        orphan.acknowledge(WindowsReceived("alpha", 1, windows))
        clock.run(lambda: sending.dead)
        frames = {m.seq: m.body for m in got if isinstance(m, WindowFrame)}
        return [unpack_window(body, "alpha", began=100.0) for _, body in sorted(frames.items())]


KEY = Key(f"shop {SHARED}", f"GET /{OWN}/{SHARED}", phase=f"ramp {SHARED}", tags=((SHARED, f"x {OWN}"),))


def record_everything(recorder):
    recorder.record(Sample(KEY, 100.1, 100.2, Failure(f"no {SHARED}", f"{OWN} {SHARED}", where=f"a.py {OWN}"), 0))
    recorder.record(Sample(KEY._replace(tags=()), 100.2, 100.3, None, 5))
    recorder.amend(KEY._replace(tags=()), 100.2, 100.3, None, Failure(f"amended {OWN}", f"to {OWN}"))
    recorder.count_visit(KEY.scenario, 100.2, "done", share=f"{SHARED}/1")
    recorder.record_rows(f"{SHARED}/1", 2)
    recorder.count_note(f"noted {OWN} {SHARED}")
    recorder.record_event(RunEvent(1.0, "change", f"by {OWN} {SHARED}"))


@pytest.mark.parametrize("sealed", [False, True])
def test_a_journal_holds_no_secret_and_what_is_recovered_has_its_names(tmp_path, redact, sealed):
    left = Left(tmp_path, redact)
    left.journal.note_share_start(f"{SHARED}/1", 3, 1)

    record_everything(left.recorder)
    if sealed:
        left.seal(redact)

    assert leaking(left.files, (OWN, SHARED)) == []
    (window,) = left.sent(1)
    plain = f"GET /***/{SHARED}"
    assert {(k.scenario, k.name, k.phase) for k in window.series} == {(KEY.scenario, plain, KEY.phase)}
    assert {k.tags for k in window.series} == {(), ((SHARED, "x ***"),)}
    assert {where: (e.sample, e.where) for where, e in window.errors.items()} == {
        (KEY.scenario, plain, f"no {SHARED}"): ("*** ***", "a.py ***"),
        (KEY.scenario, plain, "amended ***"): ("to ***", ""),
    }
    assert window.ledger[KEY.scenario, 0].done == 1
    assert dict(window.notes) == {"noted *** ***": 1}
    assert [event.text for event in window.happenings] == ["by *** ***"]
    assert sealed or window.progress == {f"{SHARED}/1": (3, 1, 2)}


def test_a_journal_without_secrets_is_sealed_as_it_is_sent(redact):
    window = window_of(Sample(Key("shop", "GET /"), 0.0, 0.5, Failure("odd", "no"), 0))

    assert JournalTexts(redact.text, redact.name).window(window) is window


def test_a_secret_found_during_the_run_is_not_written_from_then_on(tmp_path, redact):
    found = ["later-77-word"]
    names = HiddenNames()
    texts = JournalTexts(redact.text, redact.name, names.add, lambda: redact.add(found))
    assert texts.name("GET /later-77-word") == "GET /***\0" + "1"

    found.append("latest-88-word")

    assert "latest-88-word" not in texts.name("GET /later-77-word/latest-88-word")
    assert texts.text("said latest-88-word") == "said ***"


@pytest.mark.parametrize("name", ["GET /\0" + "7", "\0", "a\0b\0" + "1", "\0" + "999999999999", "\0²"])
def test_a_name_that_has_the_mark_itself_is_recovered(tmp_path, redact, name):
    left = Left(tmp_path, redact)

    left.recorder.record(Sample(Key("shop", name), 100.1, 100.2, None, 0))
    left.recorder.record(Sample(Key("shop", f"{name} {SHARED}"), 100.1, 100.2, None, 0))

    (window,) = left.sent(1)
    assert {key.name for key in window.series} == {name, f"{name} {SHARED}"}


def test_names_that_the_supervisor_has_not_got_are_recovered_without_their_secrets(tmp_path, redact):
    left = Left(tmp_path, redact)
    left.names.add = lambda number, name: None
    left.recorder.record(Sample(Key("shop", f"GET /{SHARED}/cart"), 100.1, 100.2, None, 0))
    left.names = HiddenNames()

    (window,) = left.sent(1)

    assert [key.name for key in window.series] == ["GET /***/cart"]


def test_the_name_in_a_journal_is_the_same_in_each_window(tmp_path, redact):
    left = Left(tmp_path, redact)

    for second in range(3):
        left.recorder.record(Sample(KEY, 100.1 + second, 100.2 + second, None, 0))
        left.seal(redact)

    assert [{key.name for key in window.series} for window in left.sent(3)] == 3 * [{f"GET /***/{SHARED}"}]
    assert leaking(left.files, (OWN, SHARED)) == []


def test_names_pass_the_connection_to_the_supervisor():
    ours, its = connected_pair()
    got = {}
    send, reader = NameSender(its.detach()), NameReader(ours, got.__setitem__)
    names = {number: f"GET /{OWN}\n{number} \0é" for number in range(1, 400)}

    reading = gevent.spawn(reader.read)
    for number, name in names.items():
        send(number, name)
        if number == 200:
            gevent.sleep(0)
    reading.kill()
    reader.read_rest()

    assert got == names


def test_names_for_a_supervisor_that_does_not_read_are_bounded_and_do_not_block():
    ours, its = connected_pair()
    got = {}
    send, reader = NameSender(its.detach()), NameReader(ours, got.__setitem__)

    for number in range(1, 3_000):
        send(number, "x" * 1_000)
    kept = len(send._waiting)
    for _ in range(20):
        reader.read_rest()
        send(3_000, "the last")

    assert kept < MOST_WAITING + 2_000
    assert 500 < len(got) < 2_000
    assert got.pop(3_000) == "the last"
    assert max(got) == len(got)


def test_the_end_of_the_supervisor_does_not_raise_in_the_engine():
    ours, its = connected_pair()
    send = NameSender(its.detach())
    ours.close()

    send(1, "a name")

    assert send._waiting
