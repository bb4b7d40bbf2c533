"""An output goes where the user says, and through nothing that another user put in its way."""

import os
import stat

import gevent
import pytest

from chaperon.cluster.transport.key_files import write_pair as write_keys
from chaperon.errors import OutputError
from chaperon.report.output_parts import output_file
from chaperon.report.output_parts.output_file import write_output

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
