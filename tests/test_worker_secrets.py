"""A secret that only a worker knows leaves the worker in no message, neither in texts nor in names of series."""

import os
from urllib.parse import quote

import gevent
import pytest
from test_fleet import Ground

from chaperon import Environment, Scenario, rate, run, step
from chaperon.cluster.journal.journal import Journal
from chaperon.cluster.journal.journal_file import JournalHeader
from chaperon.cluster.journal.orphaned_windows import OrphanedWindows
from chaperon.cluster.protocol.codec import decode
from chaperon.cluster.protocol.fingerprint import fingerprint
from chaperon.cluster.protocol.messages import WindowFrame, WindowsReceived
from chaperon.cluster.worker.window_redactor import WindowRedactor
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Failure, Key, Sample
from chaperon.measure.window import Window
from chaperon.measure.window_codec import unpack_window
from chaperon.report.redaction.redaction import Redactor
from chaperon.testing import VirtualClock

OWN, SHARED = "wort-47 & more", "europe-west"


@pytest.fixture
def redact():
    redact = WindowRedactor(Redactor(), lambda secret: secret == SHARED)
    redact.add({OWN, SHARED})
    return redact


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


def test_what_a_dead_engine_left_is_sent_without_its_secrets(tmp_path):
    journal = Journal(tmp_path / "left", JournalHeader("alpha", 1, 7, began=100.0))
    recorder = Recorder("alpha", began=100.0, journal=journal)
    journal.write_secrets([OWN, SHARED], [OWN])
    recorder.record(Sample(Key("shop", f"GET /{OWN}/{SHARED}"), 100.1, 100.2, Failure("odd", OWN), 0))
    net, clock = Ground(rate(1, hold=1)).net, VirtualClock()
    got = []
    net.master.listen(lambda peer, message: got.append(message), lambda peer, exc: None)

    orphan = OrphanedWindows("alpha", 1, -9, tmp_path / "left", net.connect(b"supervisor"), clock)
    sending = gevent.spawn(orphan.send_all)
    clock.run(lambda: any(isinstance(message, WindowFrame) for message in got))
    orphan.acknowledge(WindowsReceived("alpha", 1, 1))
    clock.run(lambda: sending.dead)

    (frame,) = [message for message in got if isinstance(message, WindowFrame)]
    window = unpack_window(frame.body, "alpha", began=100.0)
    assert [key.name for key in window.series] == [f"GET /***/{SHARED}"]
    assert [error.sample for error in window.errors.values()] == ["***"]
    assert orphan.fault == ""


def test_the_secrets_in_a_journal_are_for_its_owner_alone_and_go_with_it(tmp_path):
    journal = Journal(tmp_path / "left", JournalHeader("alpha", 1, 7, began=100.0))
    journal.write_secrets([OWN], [OWN])

    assert os.stat(tmp_path / "left" / "secrets").st_mode & 0o777 == 0o600
    journal.close()
    assert not (tmp_path / "left").exists()
