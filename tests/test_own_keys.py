"""On one machine a master and its workers find the keys of their user; all other users stay outside."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import zmq.green as zmq
from shells import SHOP, engines
from thorough import some

from chaperon._version import VERSION
from chaperon.cluster.protocol.codec import decode, encode
from chaperon.cluster.protocol.messages import BundleChunk, Fetch, Hello, Welcome
from chaperon.cluster.transport import key_files
from chaperon.cluster.transport.address import Address
from chaperon.cluster.transport.key_files import choose_key, user_key, write_pair
from chaperon.cluster.transport.keys import MasterKey, WorkerKey, derived_worker_key, make_pair
from chaperon.cluster.transport.link import STRANGERS
from chaperon.cluster.worker.parent_pipe import connected_pair, write_key_line
from chaperon.errors import UsageError

HERE = Address.parse("tcp://127.0.0.1")
AWAY = Address.parse("tcp://192.0.2.7")
VARIABLES = ("CHAPERON_KEY", "CHAPERON_KEY_FILE")


@pytest.fixture
def user(tmp_path):
    """The environment of a user whose settings are in an empty folder."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "settings")}


@pytest.fixture
def shells(shells, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return shells


def settings(shells, name):
    """Return the environment of another user, as far as keys go."""
    return {**os.environ, "XDG_CONFIG_HOME": str(shells.folder / name)}


# the user's folder


@pytest.mark.parametrize("first", [MasterKey, WorkerKey])
def test_a_pair_is_made_on_first_use_and_found_by_both_sides(user, tmp_path, first):
    user_key(first, user)

    master, worker = user_key(MasterKey, user), user_key(WorkerKey, user)

    assert derived_worker_key(master) == worker
    folder = tmp_path / "settings" / "chaperon"
    assert sorted(path.name for path in folder.iterdir()) == ["master.key", "worker.key"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_umask_that_takes_nothing_away_opens_nothing(user, tmp_path):
    before = os.umask(0)
    try:
        user_key(MasterKey, user)
    finally:
        os.umask(before)

    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (tmp_path / "settings").rglob("*")} == {0}


def test_two_users_have_two_pairs(tmp_path):
    one, other = ({"XDG_CONFIG_HOME": str(tmp_path / name)} for name in ("one", "other"))

    assert user_key(MasterKey, one) != user_key(MasterKey, other)
    assert derived_worker_key(user_key(MasterKey, one)) != user_key(WorkerKey, other)


def test_a_workers_key_is_written_anew_from_the_masters(user, tmp_path):
    worker = user_key(WorkerKey, user)
    (tmp_path / "settings" / "chaperon" / "worker.key").unlink()

    assert user_key(WorkerKey, user) == worker


def test_keys_made_elsewhere_are_kept_and_the_missing_one_is_named(user, tmp_path):
    folder = tmp_path / "settings" / "chaperon"
    master, worker = write_pair(folder)
    kept = master.read_text()
    folder.chmod(0o700)

    assert user_key(WorkerKey, user) != derived_worker_key(user_key(MasterKey, user))
    worker.unlink()
    with pytest.raises(UsageError, match=r"worker\.key is missing: copy it"):
        user_key(WorkerKey, user)
    assert master.read_text() == kept


def test_a_worker_may_have_another_users_worker_key_in_its_folder(user, tmp_path):
    folder = tmp_path / "settings" / "chaperon"
    write_pair(folder)
    (folder / "master.key").unlink()
    folder.chmod(0o700)

    user_key(WorkerKey, user)

    with pytest.raises(UsageError, match=r"a master takes master\.key"):
        user_key(MasterKey, user)
    assert [path.name for path in folder.iterdir()] == ["worker.key"]


ONE_OF_MANY = """
import os, sys
from chaperon.cluster.transport.key_files import user_key
from chaperon.cluster.transport.keys import MasterKey, WorkerKey
kind = (MasterKey, WorkerKey)[int(sys.argv[1])]
print("ready", flush=True)
sys.stdin.readline()
print(user_key(kind, os.environ))
"""


@pytest.mark.processes
def test_first_users_who_come_at_once_get_keys_of_one_pair(user, tmp_path):
    for attempt in some(range(3), 3):
        environ = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / f"settings-{attempt}")}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environ}
        many = [subprocess.Popen([sys.executable, "-c", ONE_OF_MANY, str(n % 2)], **pipes) for n in range(6)]
        for process in many:
            assert process.stdout.readline() == "ready\n"

        for process in many:
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=30)[0].strip() for process in many]

        found = {(n % 2, line) for n, line in enumerate(said)}
        assert len(found) == 2, said
        assert derived_worker_key(user_key(MasterKey, environ)) == user_key(WorkerKey, environ)
        assert len(list((tmp_path / f"settings-{attempt}" / "chaperon").iterdir())) == 2


def test_a_key_that_was_placed_meanwhile_is_the_one(user, monkeypatch):
    link, placed = os.link, []

    def slow(new, path):
        placed.append(path)
        link(new, path)
        link(new, path)  # this process comes second

    monkeypatch.setattr(os, "link", slow)
    master = user_key(MasterKey, user)

    assert len(placed) == 1
    assert user_key(MasterKey, user) == master


def open_folder(folder):
    folder.chmod(0o750)


def open_file(folder):
    (folder / "master.key").chmod(0o640)


def open_to_the_world(folder):
    (folder / "master.key").chmod(0o604)


def linked_file(folder):
    (folder / "master.key").rename(folder / "else")
    (folder / "master.key").symlink_to(folder / "else")


def dangling_link(folder):
    (folder / "master.key").unlink()
    (folder / "master.key").symlink_to(folder / "nowhere")


def empty_file(folder):
    (folder / "master.key").write_text("")


def no_folder(folder):
    folder.rename(folder.with_name("else"))
    folder.write_text("")
    folder.chmod(0o700)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (open_folder, "chmod 700"),
        (open_file, "chmod 600"),
        (open_to_the_world, "chmod 600"),
        (linked_file, "it is a link; put the key itself there"),
        (dangling_link, "it is a link; put the key itself there"),
        (empty_file, r"master\.key: this is no key"),
        (no_folder, "is no folder"),
    ],
)
def test_what_others_could_read_or_replace_is_refused_with_the_remedy(user, tmp_path, change, words):
    user_key(MasterKey, user)
    change(tmp_path / "settings" / "chaperon")

    with pytest.raises(UsageError, match=words):
        user_key(MasterKey, user)


@pytest.mark.parametrize("kind", [MasterKey, WorkerKey])
def test_a_folder_of_another_user_is_refused(user, monkeypatch, kind):
    user_key(kind, user)
    monkeypatch.setattr(key_files.os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(UsageError, match="belongs to another user: move it away"):
        user_key(kind, user)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["", "master.key"])
def test_a_file_of_another_user_in_it_is_refused(user, tmp_path, name):
    user_key(MasterKey, user)
    os.chown(tmp_path / "settings" / "chaperon" / name, 12345, 12345)

    with pytest.raises(UsageError, match="belongs to another user"):
        user_key(MasterKey, user)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give links away")
def test_a_link_of_another_users_is_not_followed(user, tmp_path):
    user_key(MasterKey, user)
    folder = tmp_path / "settings" / "chaperon"
    folder.rename(tmp_path / "mine")
    folder.symlink_to(tmp_path / "mine")
    user_key(MasterKey, user)  # a link of one's own is
    os.chown(folder, 12345, 12345, follow_symlinks=False)

    with pytest.raises(UsageError, match="belongs to another user"):
        user_key(MasterKey, user)


# which key


def test_the_order_is_option_file_variable_variable_own_folder(user, tmp_path):
    pairs = [write_pair(tmp_path / name) for name in ("option", "file", "line")]
    environ = {**user, "CHAPERON_KEY_FILE": str(pairs[1][0]), "CHAPERON_KEY": pairs[2][0].read_text()}

    chosen = [str(choose_key(str(pairs[0][0]), environ, MasterKey, HERE, "bind"))]
    for name in VARIABLES[::-1]:
        chosen.append(str(choose_key(None, environ, MasterKey, HERE, "bind")))
        del environ[name]
    chosen.append(str(choose_key(None, environ, MasterKey, HERE, "bind")))

    assert chosen == [*(pair[0].read_text().strip() for pair in pairs), str(user_key(MasterKey, user))]


@pytest.mark.parametrize("kind", [MasterKey, WorkerKey])
def test_beyond_this_machine_the_users_own_key_is_not_enough(user, tmp_path, kind):
    user_key(kind, user)

    with pytest.raises(UsageError, match="chaperon keygen"):
        choose_key(None, user, kind, AWAY, "bind")
    with pytest.raises(UsageError, match="for this machine alone"):
        choose_key(None, user, kind, AWAY, "bind", without=True)


def test_a_local_socket_asks_for_the_key_too(user):
    assert choose_key(None, user, MasterKey, Address.parse("ipc:///run/x"), "bind") == user_key(MasterKey, user)


def test_no_key_makes_none(user, tmp_path):
    assert choose_key(None, user, WorkerKey, HERE, "join", without=True) is None
    assert not (tmp_path / "settings").exists()
    with pytest.raises(UsageError, match="exclude each other"):
        choose_key("some.key", user, WorkerKey, HERE, "join", without=True)


def file_in_the_way(folder):
    (folder / "file").write_text("")
    return {"XDG_CONFIG_HOME": str(folder / "file" / "settings")}


def no_home(folder):
    return {"XDG_CONFIG_HOME": "", "HOME": str(folder / "nowhere")}


def relative_home(folder):
    return {"XDG_CONFIG_HOME": "settings", "HOME": "nowhere"}


def no_process_file_system(folder):
    return {"XDG_CONFIG_HOME": "/proc"}  # nothing can be made there, by root neither


@pytest.mark.parametrize("place", [file_in_the_way, no_home, relative_home, no_process_file_system])
@pytest.mark.parametrize("args", [("master", "shop.py", "--workers", "1"), ("worker", "--master", "tcp://127.0.0.1")])
def test_where_no_folder_can_be_made_one_line_has_both_remedies(shells, command, monkeypatch, tmp_path, place, args):
    for name, value in place(tmp_path).items():
        monkeypatch.setenv(name, value)

    done = command(*args)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "--key FILE" in line
    assert "--no-key" in line
    assert "no key" in line
    assert not (tmp_path / "nowhere").exists()


# two shells, one user


MARKING = """
import os
from pathlib import Path

Path(os.environ["MARK"]).write_text("ran")
"""
"""The start of a scenario file that leaves a mark wherever it is loaded."""


def test_one_user_needs_no_option_and_a_pair_is_there_afterwards(shells, target):
    mark, mine = shells.folder / "mark", settings(shells, "mine")
    (shells.folder / "shop.py").write_text(MARKING + SHOP)
    load = ("--url", target.url, "--iterations", 4, "--json", "out.json")
    master = shells.master(*load, workers=1, env={**mine, "MARK": "/dev/null"})
    worker = shells.worker(master.address, "--once", env={**mine, "MARK": str(mark)})

    assert [shells.ends(process) for process in (master, worker)] == [0, 0], (master.told, worker.told)

    assert mark.read_text() == "ran"
    assert len(target.asked) == 4
    assert not any("refused" in note or "no key" in note for note in shells.report()["notes"])
    assert sorted(path.name for path in (shells.folder / "mine" / "chaperon").iterdir()) == ["master.key", "worker.key"]


def test_without_keys_it_is_said_on_both_sides_and_in_the_report(shells, target):
    mine = settings(shells, "mine")
    more = ("--no-key", "--url", target.url, "--iterations", 4, "--quiet", "--json", "out.json")
    master = shells.master(*more, workers=1, env=mine)
    worker = shells.worker(master.address, "--once", "--no-key", env=mine)

    assert [shells.ends(process) for process in (master, worker)] == [0, 0], (master.told, worker.told)

    assert "WARNING: the master has no key" in "\n".join(master.told)
    assert "WARNING: no key" in "\n".join(worker.told)
    assert any("any user of its machine could join" in note for note in shells.report()["notes"])
    assert not (shells.folder / "mine").exists()


def evil_master(shells, target, *args, env):
    """Start a master whose scenario leaves a mark wherever it is loaded but on the master itself."""
    (shells.folder / "evil.py").write_text(MARKING + SHOP)
    seconds = ("--gather", "12s", "--users", 1, "--quiet", "--url", target.url)
    return shells.master(*seconds, *args, workers=1, file="evil.py", env={**env, "MARK": "/dev/null"})


@pytest.mark.faults
@pytest.mark.parametrize("open_to_all", some([("--no-key",), ()], 2))
def test_another_users_master_is_refused_by_the_key_and_runs_nothing(shells, target, open_to_all):
    mark = shells.folder / "mark"
    master = evil_master(shells, target, *open_to_all, env=settings(shells, "theirs"))
    worker = shells.worker(master.address, env={**settings(shells, "mine"), "MARK": str(mark)})

    assert shells.ends(worker) == 6, worker.told
    assert shells.ends(master) == 6, master.told

    assert not mark.exists()
    (said,) = [line for line in worker.told if "refused by the key: " in line]
    assert "attempt" in said
    assert "connections refused by the key" in master.told[-1]
    assert any("a connection was refused by the key" in line for line in master.told)


def rogue(port, within=1.5, **curve):
    """Knock at a master as a process of another user would; return all that it lets out."""
    context = zmq.Context()
    try:
        socket = context.socket(zmq.DEALER)
        for name, value in {"ROUTING_ID": b"r/1", "LINGER": 0, **curve}.items():
            socket.setsockopt(getattr(zmq, name), value)
        socket.connect(f"tcp://127.0.0.1:{port}")
        socket.send(encode(Hello("rogue", 1, VERSION, "3.11.7", "host", 1, 1.0)))
        if not socket.poll(within * 1000):
            return []
        welcome = decode(socket.recv())
        assert isinstance(welcome, Welcome)
        socket.send(encode(Fetch(welcome.digest, 0)))
        assert socket.poll(5000)
        blob = decode(socket.recv())
        assert isinstance(blob, BundleChunk)
        return [welcome, blob]
    finally:
        context.destroy(0)


SECRET = "Bearer ey0.secret"


@pytest.mark.parametrize("with_a_key", some([False, True], 2))
def test_another_users_worker_is_refused_by_the_key_and_gets_nothing(shells, target, with_a_key):
    public, secret = zmq.curve_keypair()
    curve = {"CURVE_SERVERKEY": public, "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret} if with_a_key else {}
    mine = settings(shells, "mine")
    more = ("--url", target.url, "--iterations", 2, "--header", f"Authorization: {SECRET}", "--json", "out.json")
    master = shells.master(*more, workers=1, env=mine)

    got = rogue(int(master.address.rpartition(":")[2]), **curve)
    shells.told(master, "a connection was refused by the key")
    worker = shells.worker(master.address, "--once", env=mine)

    assert got == []
    assert [shells.ends(process) for process in (master, worker)] == [0, 0], (master.told, worker.told)
    (refused,) = [times for note, times in shells.report()["notes"].items() if STRANGERS in note]
    assert refused >= 1
    assert [worker["visits"] for worker in shells.report()["workers"]] == [2]


def test_a_master_that_asks_for_none_lets_out_what_the_key_protects(shells, target):
    master = shells.master("--no-key", "--url", target.url, "--users", 1, "--header", f"Authorization: {SECRET}")

    welcome, blob = rogue(int(master.address.rpartition(":")[2]), within=5)

    assert SECRET in str(welcome.overrides)
    assert b"shop.py" in blob.data


# keys and the processes of a run


def readable(pid):
    """Return what the system shows of a process: its environment, its arguments."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline"))


def lines_of(folder):
    return [path.read_text().strip().encode() for path in Path(folder).rglob("*.key")]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")
@pytest.mark.parametrize("kind", ["cluster", "local"])
def test_no_key_is_in_the_environment_or_the_arguments_of_an_engine(shells, target, kind):
    master_key, worker_key = write_pair(shells.folder / "pair")
    masters = {**os.environ, "CHAPERON_KEY": master_key.read_text(), "CHAPERON_KEY_FILE": str(master_key)}
    workers = {**os.environ, "CHAPERON_KEY": worker_key.read_text()}
    load = ("--url", target.url, "--users", 2, "--hold", "1m", "--quiet")
    if kind == "cluster":
        master = shells.master(*load, "--work", env=masters)
        shells.worker(master.address, env=workers)
    else:
        shells.start("local", "shop.py", *load, "--processes", 2, env=masters)

    shells.until(lambda: len(target.asked) > 10 and len(engines(shells)) == 2)
    shown = [readable(pid) for pid in engines(shells)]

    assert len(shown) == 2
    for text in shown:
        assert b"engine" in text
        assert b"CHAPERON_KEY" not in text
        assert not any(part in text for line in lines_of(shells.folder / "pair") for part in line.split(b":"))


SEES = """
import os
from chaperon import step

assert "CHAPERON_KEY" not in os.environ, "a scenario sees the key"


@step
def look(session):
    assert "CHAPERON_KEY" not in os.environ
    session.get("/")
"""


@pytest.mark.parametrize(
    "args",
    [
        ("ls",),
        ("plan", "--users", "1"),
        ("check",),
        ("local", "--users", "1", "--quiet"),
        ("master", "--workers", "1", "--users", "1", "--gather", "1ms", "--bind", "tcp://127.0.0.1:*"),
    ],
    ids=lambda args: args[0],
)
def test_no_scenario_sees_the_key(command, tmp_path, monkeypatch, target, args):
    (tmp_path / "sees.py").write_text(SEES)
    monkeypatch.setenv("CHAPERON_KEY", str(make_pair()[0]))
    where = () if args[0] == "ls" else ("--url", target.url)

    done = command(args[0], "sees.py", *args[1:], *where)

    assert "sees the key" not in done.stderr + done.stdout
    assert done.returncode == (6 if args[0] == "master" else 0), done.stderr


def test_a_scenario_in_an_engine_does_not_see_it_either(shells, target):
    (shells.folder / "shop.py").write_text(SEES)
    pair = write_pair(shells.folder / "pair")
    masters, workers = ({**os.environ, "CHAPERON_KEY": key.read_text()} for key in pair)
    master = shells.master("--url", target.url, "--iterations", 2, "--json", "out.json", workers=1, env=masters)
    shells.worker(master.address, "--once", env=workers)

    assert shells.ends(master) == 0, master.told
    assert json.loads((shells.folder / "out.json").read_text())["ledger"][0]["done"] == 2


@pytest.mark.processes
def test_an_engine_takes_its_key_from_its_supervisor():
    engine = ("engine", "--master", "tcp://127.0.0.1:1", "--name", "a", "--incarnation", "1")
    ours, its = connected_pair()
    process = subprocess.Popen(
        [sys.executable, "-m", "chaperon", *engine], stdin=its.fileno(), stderr=subprocess.PIPE, text=True
    )

    write_key_line(ours, "no key at all")  # our end stays open: its end would be the supervisor's
    code = process.wait(timeout=30)
    _, said = process.communicate()

    assert code == 2
    assert "no key of Chaperon's" in said


def test_the_suite_itself_writes_into_no_home():
    assert Path(os.environ["XDG_CONFIG_HOME"]).name.startswith("chaperon-settings-")
