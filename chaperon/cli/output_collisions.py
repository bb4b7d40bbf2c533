"""Files that a command would write over each other, or over a file that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from chaperon.errors import OutputError, UsageError
from chaperon.report.output_parts.output_file import followed, is_replaced


def refuse_collisions(written: Mapping[str, str], folders: Mapping[str, str], read: Iterable[str]) -> None:
    """Raise UsageError if two of the paths *written*, by option, are one file, or one is a file of *read*.

    *folders* are paths of folders that are written to, by option: several may share one, none is a path of *written*.
    *read* are the words of the command line that name what is read: FILE, FILE:NAME or a module. Devices,
    pipes and standard streams, which several may write to, are left out. Paths that cannot be resolved are,
    too: opening them raises the error.
    """
    taken: dict[Path, str] = {}
    for flag, path in written.items():
        place = _file_of(path)
        if place is None:
            continue
        if place in taken:
            raise _both(taken[place], flag, path)
        taken[place] = flag
    for flag, path in folders.items():
        place = _file_of(path)
        if place in taken:
            raise _both(taken[place], flag, path)
    for place in _files_read(read) if taken else ():
        if place in taken:
            flag = taken[place]
            raise UsageError(f"{flag} {written[flag]} is a file that is read: give another path")


def _both(one: str, other: str, path: str) -> UsageError:
    return UsageError(f"{one} and {other} both write {path}: give each a path of its own")


def _file_of(path: str) -> Path | None:
    with suppress(OutputError, OSError):
        place = followed(path)
        if is_replaced(place):
            return place
    return None


def _files_read(words: Iterable[str]) -> Iterator[Path]:
    from chaperon.execution.scenario_module import locate  # late: most commands write no file

    for word in words:
        found = locate(word)[0]
        if found.is_file() and (place := _file_of(str(found))) is not None:
            yield place
