"""An output goes where the user says, and through nothing that another user put in its way."""

import os
import stat
import tempfile

import gevent
import pytest

from chaperon.cluster.transport.key_files import write_pair as write_keys
from chaperon.errors import OutputError
from chaperon.report.output_parts import output_file
from chaperon.report.output_parts.output_file import open_output, write_output
from chaperon.report.samples.observer import SampleRecord
from chaperon.report.samples.samples_output import SamplesOutput

ANOTHER = 12345


@pytest.fixture
def strange(monkeypatch):
    """Make the files of this test those of another user."""
    monkeypatch.setattr(output_file.os, "geteuid", lambda: ANOTHER)
    if os.getuid() == 0:
        return lambda path: os.chown(path, ANOTHER + 1, -1, follow_symlinks=False)
    return lambda path: None


def test_a_file_is_written_whole_and_replaced(tmp_path):
    place = tmp_path / "out.json"
    place.write_text("before")
    kept = place.open()

    write_output(place, "after")

    assert place.read_text() == "after"
    assert kept.read() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def link_itself(folder):
    (folder / "out.json").symlink_to(folder / "victim")
    return folder / "out.json", folder / "out.json"


def link_to_nothing(folder):
    (folder / "out.json").symlink_to(folder / "not there")
    return folder / "out.json", folder / "out.json"


def folder_on_the_way(folder):
    (folder / "deep").mkdir()
    (folder / "way").symlink_to(folder / "deep")
    return folder / "way" / "out.json", folder / "way"


def link_behind_a_link(folder):
    (folder / "second").symlink_to(folder / "victim")
    (folder / "out.json").symlink_to("second")
    return folder / "out.json", folder / "second"


def link_before_a_step_back(folder):
    (folder / "deep").mkdir()
    (folder / "way").symlink_to(folder / "deep")
    return folder / "way" / ".." / "out.json", folder / "way"


LINKS = [link_itself, link_to_nothing, folder_on_the_way, link_behind_a_link, link_before_a_step_back]


@pytest.mark.parametrize("way", LINKS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_link_of_another_user_is_not_followed(tmp_path, monkeypatch, strange, way, mode):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    tmp_path.chmod(mode)
    path, link = way(tmp_path)
    strange(link)

    with pytest.raises(OutputError, match="a link of another user"):
        write_output(path, "overwritten")

    assert victim.read_text() == "precious"
    assert not (tmp_path / "not there").exists()
    assert not (tmp_path / "deep" / "out.json").exists()


@pytest.mark.parametrize("way", LINKS, ids=lambda way: way.__name__)
def test_a_link_of_ones_own_is(tmp_path, way):
    (tmp_path / "victim").write_text("before")
    path, _ = way(tmp_path)

    write_output(path, "after")

    assert path.read_text() == "after"


def test_keys_are_not_written_through_a_link_of_another_user(tmp_path, strange):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "keys").symlink_to(tmp_path / "theirs")
    strange(tmp_path / "keys")

    with pytest.raises(OutputError, match="a link of another user"):
        write_keys(tmp_path / "keys")

    assert list((tmp_path / "theirs").iterdir()) == []


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OSError, match="symbolic links"):
        write_output(tmp_path / "a" / "out.json", "x")


def test_a_pipe_that_nobody_reads_is_an_error_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with gevent.Timeout(5), pytest.raises(OutputError, match="no process reads it"):
        write_output(tmp_path / "pipe", "x")


def test_a_pipe_of_ones_own_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    write_output(tmp_path / "pipe", "text")

    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_named_pipe_of_another_user_is_refused(tmp_path, strange):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    strange(tmp_path / "pipe")

    with pytest.raises(OutputError, match="a pipe of another user"):
        write_output(tmp_path / "pipe", "secret")

    assert os.read(reader, 100) == b""
    os.close(reader)


def test_an_open_pipe_of_the_shell_is_written_to_whoever_made_it(monkeypatch):
    reader, writer = os.pipe()
    monkeypatch.setattr(output_file.os, "geteuid", lambda: os.getuid())

    write_output(f"/dev/fd/{writer}", "text")

    assert os.read(reader, 100) == b"text"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("path", ["/dev/null"])
def test_a_character_device_is_written_to(path):
    write_output(path, "text")

    assert stat.S_ISCHR(os.stat(path).st_mode)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError):
        write_output(tmp_path, "text")


def put_file(place):
    place.write_text("precious")


def put_link(place):
    (place.parent / "victim").write_text("precious")
    place.symlink_to(place.parent / "victim")


def put_link_to_nothing(place):
    place.symlink_to(place.parent / "victim")


def put_hard_link(place):
    (place.parent / "victim").write_text("precious")
    place.hardlink_to(place.parent / "victim")


def put_pipe(place):
    os.mkfifo(place)


SAMPLE = SampleRecord(
    0.0, "local", "shop", "GET /", "http", "steady", (), 0.1, None, None, 5, "error", "a message", False, 0, 0
)
PUT = [put_file, put_link, put_link_to_nothing, put_hard_link, put_pipe]


def write_whole(path):
    write_output(path, "text")


def write_in_pieces(path):
    with os.fdopen(open_output(path, 0o600), "w") as file:
        file.write("text")


def write_samples(path):
    output = SamplesOutput(path)
    output.sample(SAMPLE)
    output.finish(None)


@pytest.mark.parametrize("put", PUT)
@pytest.mark.parametrize("before", [None, "before"])
@pytest.mark.parametrize("write", [write_whole, write_in_pieces, write_samples])
def test_what_is_put_at_the_path_while_it_is_written_leads_nowhere(tmp_path, monkeypatch, put, before, write):
    place, victim = tmp_path / "out.csv", tmp_path / "victim"
    if before is not None:
        place.write_text(before)
    make = tempfile.mkstemp

    def swap(*args, **kwargs):
        place.unlink(missing_ok=True)
        put(place)
        return make(*args, **kwargs)

    monkeypatch.setattr(tempfile, "mkstemp", swap)

    write(place)

    assert place.is_file()
    assert not place.is_symlink()
    assert "text" in place.read_text() or "a message" in place.read_text()
    assert (victim.read_text() if victim.exists() else "precious") == "precious"


@pytest.mark.parametrize("put", [put_file, put_link, put_hard_link])
def test_a_file_that_takes_the_place_of_a_device_is_not_written_to(tmp_path, monkeypatch, put):
    place = tmp_path / "out"
    os.mkfifo(place)
    opened = os.open

    def swap(path, *args, **kwargs):
        if path == place:
            place.unlink()
            put(place)
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(output_file.os, "open", swap)

    with pytest.raises((OutputError, OSError), match=r"meanwhile|symbolic links"):
        write_output(place, "text")

    assert place.read_text() == "precious"


@pytest.mark.parametrize("write", [write_whole, write_in_pieces, write_samples])
def test_pipes_and_devices_are_never_replaced(tmp_path, write):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    write(tmp_path / "pipe")

    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert os.read(reader, 10_000)
    os.close(reader)
    with gevent.Timeout(5), pytest.raises((OutputError, OSError), match="no process reads it"):
        os.mkfifo(tmp_path / "other")
        write(tmp_path / "other")


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link to /dev/fd/{}"])
@pytest.mark.parametrize("write", [write_whole, write_in_pieces, write_samples])
def test_an_open_descriptor_is_written_to_where_it_stands(tmp_path, name, write):
    with (tmp_path / "out").open("w") as file:
        file.write("before ")
        file.flush()
        path = name.format(file.fileno())
        if path.startswith("link to "):
            (tmp_path / "link").symlink_to(path.removeprefix("link to "))
            path = str(tmp_path / "link")

        write(path)

        file.write(" after")

    text = (tmp_path / "out").read_text()
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert "text" in text or "a message" in text


def test_a_descriptor_that_is_not_open_is_an_error(tmp_path):
    with pytest.raises(OSError, match="Bad file descriptor"):
        write_output("/dev/fd/987", "text")
