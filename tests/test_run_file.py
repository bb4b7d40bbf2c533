"""A run file: the report made of it is the run's, wherever it was cut off."""

import gc
import gzip
import json
import os
import random
import re
import tracemalloc
import zipfile
from collections import Counter
from dataclasses import replace

import fuzz_run_files
import pytest
from fuzz_run_files import fuzz
from test_fleet import Ground
from test_golden_report import scenarios
from thorough import examples, some

from chaperon import Environment, RunFileError, Scenario, UsageError, rate, read_run, run, users
from chaperon.errors import OutputError
from chaperon.execution.running import Running
from chaperon.measure.encoding.window_codec import pack_window
from chaperon.measure.recorder import Recorder
from chaperon.measure.sample import Key, Sample
from chaperon.report.collector import Collector
from chaperon.report.monitor import RunMonitor
from chaperon.report.outputs.json import as_dict
from chaperon.report.outputs.output import Output
from chaperon.report.run_file.frames import FrameReader, write_frame
from chaperon.report.run_file.records import RunFooter, RunHeader
from chaperon.report.run_file.writer import RunFileWriter
from chaperon.report.verdict import RunInfo
from chaperon.testing import ScriptedNetwork, VirtualClock

LIMITS = [
    "p95(step browse) < 100ms",
    "p95(step pay) < 1ms",
    "service p50(charge {area=checkout}) < 1s over 5s",
    "count(task render in office) > 10 during steady",
]


def text_of(report):
    return json.dumps(as_dict(report), indent=1, allow_nan=False)


def perform(path, limits=LIMITS, **options):
    """Perform the seeded run in simulated time, with a run file; return its report."""
    clock = VirtualClock()
    environment = Environment(scenarios=scenarios(), seed=7, grace="5s", limits=limits)
    writer = RunFileWriter(path, **options)
    running = Running(environment.plan(), clock=clock).start(run_file=writer)
    clock.run(lambda: running.ended)
    running.finish()
    writer.close()
    return running.report()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.chap"
    return path, perform(path)


def test_the_report_made_of_the_file_is_the_one_of_the_run_byte_for_byte(kept):
    path, report = kept

    assert text_of(read_run(path).report()) == text_of(report)


def test_the_file_is_readable_by_its_owner_alone(kept):
    assert kept[0].stat().st_mode & 0o777 == 0o600


def test_a_run_that_a_limit_stopped_is_reported_as_it_was(tmp_path):
    report = perform(tmp_path / "run.chap", ["p95(step pay) < 1ms abort"])

    again = read_run(tmp_path / "run.chap").report()

    assert report.verdict.value == "FAIL"
    assert text_of(again) == text_of(report)


def test_other_limits_are_judged_on_the_same_run(kept):
    report = read_run(kept[0]).report(limits=["p95(step pay) < 1h"])

    assert [limit.limit for limit in report.limits] == ["p95(step pay) < 1h"]
    assert report.verdict.value == "PASS"


def test_a_stretch_has_the_visits_that_were_due_in_it_and_balances(kept):
    path, whole = kept
    report = read_run(path).report(from_=5, to=15)

    planned = [second.counts.planned for second in whole.seconds if 5 <= second.at < 15]
    assert sum(counts.planned for counts in report.ledger.values()) == sum(planned)
    assert all(counts.balanced for counts in report.ledger.values())
    assert report.duration == 10
    assert {second.at for second in report.seconds} <= set(range(5, 15))


def test_the_parts_of_a_run_add_up_to_the_whole(kept):
    path, whole = kept
    file = read_run(path)
    parts = [file.report(from_=start, to=end) for start, end in ((0, 8), (8, 17), (17, None))]

    for row in whole.rows:
        assert (
            sum(part[row.name, row.scenario].count for part in parts if (row.name, row.scenario) in part) == row.count
        )
    for label, counts in whole.ledger.items():
        assert sum(part.ledger[label].done for part in parts if label in part.ledger) == counts.done


def test_a_phase_is_reported_without_the_others(kept):
    path, whole = kept
    report = read_run(path).report(phase="steady")

    assert {key.phase for key in report.series} == {"steady"}
    steady = [each.count for key, each in whole.series.items() if key.name == "step browse" and key.phase == "steady"]
    assert report["step browse"].count == sum(steady)


def test_rates_and_errors_of_a_phase_are_those_of_the_phase_alone(kept):
    path, whole = kept
    report = read_run(path).report(phase="steady", limits=["rate(step browse) > 0/s"])
    row = report["step browse"]
    (limit,) = report.limits

    lengths = {label: span for (label, phase), span in whole.phases.items() if phase == "steady"}
    assert report.due == {label: pytest.approx(lengths.get(label, 0.0)) for label in whole.due}
    assert row.rate == pytest.approx(row.count / lengths[row.scenario])
    assert limit.value == pytest.approx(row.rate)
    assert set(report.phases) == {(label, "steady") for label in lengths}
    listed = Counter()
    for error in report.errors:
        listed[error.series, error.scenario] += error.count
    assert listed
    assert listed == {place: report[place].errors for place in listed}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"from_": 500}, "no second of the run is from 500 s"),
        ({"from_": 9, "to": 9}, "no second of the run"),
        ({"from_": -1}, "no second of the run"),
        ({"phase": "ramp-up"}, "the run has no phase .ramp-up.: it has "),
        ({"probe": 2}, "has no run 2: it has 1"),
    ],
)
def test_a_stretch_that_is_not_there_is_refused(kept, asked, said):
    with pytest.raises(UsageError, match=said):
        read_run(kept[0]).report(**asked)


def test_the_seconds_of_a_series_come_as_columns(kept):
    path, whole = kept
    columns = read_run(path).series("step browse").per_second()

    assert len({len(column) for column in columns.values()}) == 1
    assert columns["at"] == sorted(columns["at"])
    warm = sum(each.count for key, each in whole.series.items() if key.name == "step browse")
    assert sum(columns["count"]) == warm
    assert all(
        low <= mean <= high for low, mean, high in zip(columns["min"], columns["mean"], columns["max"], strict=True)
    )


def test_a_name_that_is_near_is_said(kept):
    with pytest.raises(KeyError, match="did you mean 'step browse'"):
        read_run(kept[0]).series("step brows")


def test_a_file_that_is_cut_off_anywhere_is_read_up_to_there(kept, tmp_path):
    data = kept[0].read_bytes()
    torn = tmp_path / "torn.chap"
    chance = random.Random(1)
    for size in sorted(chance.sample(range(600, len(data) - 200), 12)):
        torn.write_bytes(data[:size])
        report = read_run(torn).report()

        assert report.verdict.value in ("ABORTED", "FAIL", "INVALID")
        assert any("unfinished" in reason for reason in report.reasons)
        assert not report.finished


def test_bytes_after_the_last_good_frame_are_left_out(kept, tmp_path):
    path, whole = kept
    damaged = tmp_path / "damaged.chap"
    damaged.write_bytes(path.read_bytes() + b"\xff" * 50)

    assert text_of(read_run(damaged).report()) == text_of(whole)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 64, b"PK\x03\x04" * 20, b"\xff" * 9])
def test_a_file_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "other").write_bytes(content)

    with pytest.raises(RunFileError, match="is not a run file"):
        read_run(tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty", "is not a run file: it is empty"),
        ("gzip", "is not a run file: it is compressed with gzip; unpack it first"),
        ("zip", "is not a run file: it is compressed with zip"),
        ("folder", "Is a directory"),
        ("pipe", "it is a pipe or a socket, and a run file is read more than once: write it to a file"),
        ("joined", "its run 2 was written as run 1: is it several files in one?"),
    ],
)
def test_what_stands_in_for_a_run_file_by_mistake_is_named(kept, tmp_path, name, said):
    path, data = tmp_path / name, kept[0].read_bytes()
    if name == "folder":
        path.mkdir()
    elif name == "pipe":
        os.mkfifo(path)
    elif name == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("run.chap", data)
    else:
        path.write_bytes({"empty": b"", "gzip": gzip.compress(data), "joined": data + data}[name])

    with pytest.raises(RunFileError, match=re.escape(said)):
        read_run(path)


def test_a_file_without_a_second_has_a_report(tmp_path):
    (tmp_path / "run.chap").write_bytes(b"")
    writer = RunFileWriter(tmp_path / "run.chap")
    writer.begin(header(), str)
    writer.close()
    report = read_run(tmp_path / "run.chap").report()

    assert report.verdict.value == "ABORTED"
    assert report.reasons == ("the run is unfinished: its file ends in second 0, without the end of the run",)


def test_a_file_of_another_schema_is_refused_by_its_name(kept, tmp_path):
    header = next(iter(FrameReader(kept[0].open("rb"))))[1]
    other = tmp_path / "other.chap"
    with other.open("wb") as file:
        write_frame(file.fileno(), 1, header.replace(b"chaperon-run/1", b"chaperon-run/9"))

    with pytest.raises(RunFileError, match="'chaperon-run/9': this version of Chaperon reads 'chaperon-run/1'"):
        read_run(other)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(RunFileError, match=r"cannot read .*nowhere: No such file"):
        read_run(tmp_path / "nowhere")


@pytest.mark.long
def test_any_change_of_its_bytes_ends_in_a_report_or_a_refusal(kept, tmp_path):
    """Payloads are changed with their checksum set right, so that the decoders see them."""
    with kept[0].open("rb") as file:
        frames = list(FrameReader(file))[:12]
    chance = random.Random(4)
    changed = tmp_path / "changed.chap"
    tracemalloc.start()
    for _ in range(examples(300)):
        with changed.open("wb") as out:
            for kind, payload in frames:
                if chance.random() < 0.15 and payload:
                    at = chance.randrange(len(payload))
                    payload = payload[:at] + chance.randbytes(chance.randrange(4)) + payload[at + chance.randrange(3) :]
                if chance.random() < 0.03:
                    kind = chance.randrange(256)
                write_frame(out.fileno(), kind, payload)
        try:
            text_of(read_run(changed).report())
        except RunFileError:
            continue
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


def test_a_report_that_is_no_longer_used_leaves_no_garbage_behind(kept):
    path, _ = kept
    read_run(path).report()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(5):
            run = read_run(path)
            run.report()
            run.per_second()
        del run
        assert len(gc.get_objects()) < before + 200
    finally:
        gc.enable()


@pytest.mark.long
@pytest.mark.parametrize("case", some(range(1, 101), 2))
def test_a_file_changed_at_random_gives_a_report_or_one_error(case, fuzzed, tmp_path):
    assert fuzz(case, *fuzzed, tmp_path) in ("report", "RunFileError", "NoRunFile", "UsageError")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "run.chap"
    fuzz_run_files.perform(path)
    return fuzz_run_files.frames_of(path), path.read_bytes()


def windows_of(seconds, secret="", worker="w", began=1000.0):
    """Return a window a second of one worker, each with ten requests and an error."""
    recorder = Recorder(worker, began=began)
    for second in range(seconds):
        for n in range(10):
            at = began + second + n / 10
            recorder.record(Sample(Key("shop", f"GET /{secret}"), at, at + 0.01 * (n + 1)))
        recorder.count_visit("shop", began + second, "done")
        yield recorder.cut()


def header(**values):
    plain = {
        "schema": "chaperon-run/1",
        "started": "2026-01-01T00:00:00Z",
        "time": 1.7e9,
        "began": 1000.0,
        "environment": "shop",
    }
    plain |= {"seed": 1, "loads": (), "limits": (), "rules": {}, "brake": None}
    return RunHeader(**(plain | values))


def test_no_secret_reaches_the_file(tmp_path):
    writer = RunFileWriter(tmp_path / "run.chap")
    monitor = RunMonitor(Collector(["hunter2-worker"]), (), brake=None)
    monitor.collector.attach(writer)
    monitor.collector.count_note("the token hunter2 was refused")
    writer.begin(header(target="http://hunter2@localhost"), lambda text: text.replace("hunter2", "***"))
    for window in windows_of(3, secret="hunter2"):
        assert "GET /hunter2" in {key.name for key in monitor.collector.log.record_window(window).series}
    monitor.add_fault("hunter2 is wrong")
    monitor.set_aborted("hunter2 left")
    writer.finish(RunFooter(3.0, "PASS", ("hunter2",)))
    writer.close()

    file = read_run(tmp_path / "run.chap")
    text = text_of(file.report()) + repr(list(file.run().records()))
    assert "GET /***" in text
    assert "hunter2" not in text


def test_a_window_that_came_encoded_is_written_as_it_came(tmp_path):
    writer = RunFileWriter(tmp_path / "run.chap")
    writer.begin(header(), str)
    from chaperon.measure.encoding.window_codec import unpack_window

    came = unpack_window(pack_window(next(windows_of(1)), began=1000.0), "w", began=1000.0)
    assert writer.record_window(came) is came
    assert writer.record_window(replace(came, users=5)) is not came


def test_beyond_its_limit_a_file_has_steps_of_ten_seconds_and_says_so(tmp_path):
    writer = RunFileWriter(tmp_path / "run.chap", limit=4_000)
    monitor = RunMonitor(Collector(["w"]), (), brake=None)
    monitor.collector.attach(writer)
    writer.begin(header(), str)
    for window in windows_of(100):
        monitor.add(window)
    writer.finish(RunFooter(100.0, "PASS"))
    writer.close()
    live = monitor.report(RunInfo("shop", 1, "2026-01-01T00:00:00Z", 100.0), finished=True)

    report = read_run(tmp_path / "run.chap").report()
    assert report["GET /"].count == live["GET /"].count == 1000
    assert report.ledger == live.ledger
    assert report.workers[0].windows == 100
    assert any("it has steps of 10 s" in note for note in report.notes)
    assert report["GET /"].p95 == pytest.approx(live["GET /"].p95, rel=0.05)


def test_a_full_disk_ends_the_file_and_not_the_run(tmp_path):
    writer = RunFileWriter("/dev/full")
    monitor = RunMonitor(Collector(["w"]), (), brake=None)
    monitor.collector.attach(writer)
    writer.begin(header(), str)
    for window in windows_of(3):
        monitor.add(window)

    assert "No space left on device" in writer.failure
    assert monitor.report(RunInfo("shop", 1, "", 3.0), finished=True)["GET /"].count == 30


def test_a_file_in_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="give --run-file another path"):
        RunFileWriter(tmp_path / "nowhere" / "run.chap")


def test_the_runs_of_a_search_are_in_one_file(tmp_path):
    writer = RunFileWriter(tmp_path / "run.chap")
    for number, verdict in enumerate(("PASS", "FAIL", "PASS", "PASS", "FAIL"), 1):
        monitor = RunMonitor(Collector(["w"]), (), brake=None)
        monitor.collector.attach(writer)
        writer.begin(header(), str)
        for window in windows_of(number):
            monitor.add(window)
        writer.finish(RunFooter(float(number), verdict))
    writer.close()

    file = read_run(tmp_path / "run.chap")
    assert [(run.header.number, run.duration) for run in file.runs] == [(n, float(n)) for n in range(1, 6)]
    assert file.run().header.number == 4
    assert file.report()["GET /"].count == 40
    assert file.report(probe=2)["GET /"].count == 20


def test_the_seconds_of_a_kept_run_reach_outputs_as_they_did_while_it_went_on(tmp_path):
    class Seconds(Output):
        name = "seconds"

        def __init__(self):
            self.seen = []

        def second(self, second):
            self.seen.append(second)

    clock, live = VirtualClock(), Seconds()
    writer = RunFileWriter(tmp_path / "run.chap")
    running = Running(Environment(scenarios=scenarios(), seed=7).plan(), clock=clock).start([live], writer)
    clock.run(lambda: running.ended)
    running.finish()
    writer.close()

    again = []
    read_run(tmp_path / "run.chap").run().report(on_second=lambda second, late: again.append(second))

    def plain(second):
        return (second.at, second.time, second.requests.count, second.ledger, second.users, second.in_flight)

    assert len(live.seen) > 20
    assert [plain(second) for second in again] == [plain(second) for second in live.seen]


@pytest.mark.long
@pytest.mark.parametrize("load", [rate(30, hold=20), users(60, hold=20)], ids=str)
def test_the_file_of_a_fleet_that_lost_a_worker_gives_the_same_report(load, tmp_path):
    stage = Ground(load, took=3.0, limits=["p95(visit) < 4s"])
    for k in range(3):
        stage.worker(f"w{k}")
    stage.fleet(3, run_file=tmp_path / "run.chap")
    stage.after(5.2, lambda: stage.worker("w9"))
    stage.after(10.4, lambda: stage.kill("w1"))
    report = stage.play()

    assert report.ledger["shop"].lost > 0
    assert text_of(read_run(tmp_path / "run.chap").report()) == text_of(report)


def test_a_stretch_says_how_many_requests_and_visits_it_leaves_out(tmp_path):
    def hangs(peer):
        peer.receive()
        peer.sleep(3600.0)

    def look(session):
        session.sleep(0.25)
        session.get("/")

    scenario = Scenario(look, name="shop")
    clock = VirtualClock()
    environment = Environment("http://shop.test", scenarios=[run(scenario, rate(2, hold="5s"))], grace=1)
    running = Running(environment.plan(), clock=clock, network=ScriptedNetwork(clock, hangs))
    running.start(run_file=tmp_path / "run.chap")
    clock.run(lambda: running.ended)
    running.finish()

    for end, unended in ((2, "4 requests"), (4, "8 requests"), (None, None)):
        report = read_run(tmp_path / "run.chap").report(to=end)

        warned = [each for each in report.warnings if "in flight at the end of this stretch" in each]
        assert [each.partition(" were")[0] for each in warned if "requests" in each] == ([unended] if unended else [])
        assert len(warned) == (2 if unended else 0)
