"""Files that tests read and do not change: made when a test first asks for them, once for all processes that test."""

from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import TemporaryDirectory


def made_once(folder, name, make):
    """Return the path of *name* in *folder*; if it is not there, `make(path)` writes the file or the folder."""
    kept = Path(folder) / name
    with kept.with_name(f"{name}.lock").open("w") as lock:
        flock(lock, LOCK_EX)  # the other processes wait for it
        if not kept.exists():
            with TemporaryDirectory(dir=folder) as place:
                make(Path(place) / name)
                (Path(place) / name).rename(kept)
    return kept


def folder_of_session(tmp_path_factory):
    """Return the temporary folder that all processes of this run of the tests share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if own.name.startswith("popen-") else own
