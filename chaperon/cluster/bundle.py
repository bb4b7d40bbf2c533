"""The scenario as a zip archive for workers, identified by the hash of its content."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from chaperon.errors import LoadError, UsageError
from chaperon.execution.import_guard import LIBRARIES
from chaperon.execution.scenario_module import locate, project_root
from chaperon.lazy_dataclass import lazy_dataclass
from chaperon.measure.quantity import count_text

T = TypeVar("T")

MAX_BYTES = 64 << 20
"""Maximum size of all files, in bytes."""

MAX_FILES = 10_000
"""Maximum number of files."""

LISTED_FILES = 5
"""Number of files named in the message if all are too large."""

_EXCLUDED_FOLDERS = {"__pycache__", "node_modules", "site-packages", "dist-packages"}
_ENVIRONMENT_MARKERS = ("pyvenv.cfg", "conda-meta")
"""Files at the top of a virtual environment."""


@lazy_dataclass(frozen=True, slots=True)
class ScenarioBundle:
    """What workers need: the scenario's target, the settings of the run, and the archive, if it is shipped."""

    target: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    content: bytes = b""


class OpenedFiles:
    """Records which files are opened within the block: what a scenario reads is shipped with it."""

    _watching: ClassVar[list[OpenedFiles]] = []
    _hooked = False

    def __init__(self) -> None:
        self.paths: set[str] = set()

    def __enter__(self) -> OpenedFiles:
        self._watching.append(self)
        if not OpenedFiles._hooked:
            OpenedFiles._hooked = True
            sys.addaudithook(self._hook)  # it cannot be removed: one of a process, which does nothing outside of blocks
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.remove(self)

    @classmethod
    def _hook(cls, event: str, args: tuple[Any, ...]) -> None:
        if cls._watching and event == "open" and isinstance(args[0], str):
            for each in tuple(cls._watching):
                each.paths.add(args[0])


def split_target(target: str) -> tuple[Path, str]:
    """Return the file of FILE[:NAME] or MODULE[:NAME], with «:NAME» or nothing."""
    file, name = locate(target)
    return file.resolve(), "" if name is None else f":{name}"


def bundle_files(file: Path, opened: Iterable[str] = (), extra: Iterable[Path] = ()) -> dict[str, Path]:
    """Return the files to ship for a scenario *file*, by their names below the folder that is shipped.

    That is the file with the modules it imported and the files it has *opened*, and the whole package if it is in one.
    The folder is the one above that package, or the working directory where modules come from there too. *extra* are
    files and folders that were asked for. A symbolic link in the folder is shipped as the file that it leads to. What
    is hidden, compiled or installed (a virtual environment, node_modules) does not belong to it. Raises UsageError
    where *extra* reaches out of that folder, a name is no UTF-8, or there are more than `MAX_FILES` files.
    """
    modules = _author_modules()
    root = _shipped_root(file, modules)
    environments: dict[Path, bool] = {}

    def is_shipped(path: Path) -> bool:
        return _is_shipped(path, root, environments)

    candidates = {_below(root, path) for path in (*map(Path, opened), *modules)}
    found = {file, *(path for path in candidates if path.is_relative_to(root) and is_shipped(path))}
    if project_root(file) != file.parent:
        above = project_root(file)
        found |= set(_walk(above / file.relative_to(above).parts[0], is_shipped))
    for each in extra:
        path = _below(root, each)
        if not path.exists() or not path.is_relative_to(root):
            raise UsageError(f"--ship {each}: only what is below {root} travels with {file.name}")
        found |= set(_walk(path, is_shipped)) if path.is_dir() else {path}
    if len(found) > MAX_FILES:
        raise _too_many(file)
    names = {str(PurePosixPath(path.relative_to(root))): path for path in sorted(found)}
    for name in names:
        if os.fsencode(name) != name.encode(errors="replace"):
            raise UsageError(f"{name!r} cannot be shipped with {file.name}, as its name is no UTF-8: rename it")
    return names


def read_files(files: Mapping[str, Path]) -> dict[str, bytes]:
    """Return the contents of *files* by name. Raises UsageError if one cannot be read."""
    return {name: _readable(path, Path.read_bytes) for name, path in files.items()}


def digest_of(contents: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of names with contents, in order."""
    whole = hashlib.sha256()
    for name, content in sorted(contents.items()):
        whole.update(f"{name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def pack_bundle(target: str, overrides: Mapping[str, Any], files: Mapping[str, Path]) -> ScenarioBundle:
    """Return all *files* as a bundle. Raises UsageError if they are too large, with the largest named."""
    sizes = {name: _readable(path, Path.stat).st_size for name, path in files.items()}
    size = sum(sizes.values())
    if size > MAX_BYTES:
        largest = sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:LISTED_FILES]
        raise UsageError(
            f"the scenario's files have {count_text(size, 'byte')}, {MAX_BYTES:,} can be shipped; the largest are "
            f"{', '.join(f'{name} ({bytes:,})' for name, bytes in largest)}: move them out of its folder, "
            "or give workers a file of their own with --no-ship"
        )
    file, name = split_target(target)
    contents = read_files(files)  # once: a file may change meanwhile
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, content in sorted(contents.items()):
            archive.writestr(zipfile.ZipInfo(inner), content, zipfile.ZIP_DEFLATED)
    known = {path: inner for inner, path in files.items()}
    inside = known.get(file) or str(PurePosixPath(file.relative_to(project_root(file))))
    return ScenarioBundle(f"{inside}{name}", overrides, digest_of(contents), buffer.getvalue())


def unpack_bundle(content: bytes, digest: str, folder: Path) -> None:
    """Write the content of a bundle to *folder*. Raises LoadError if it does not match *digest* or is too large."""
    contents: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
                raise LoadError("the scenario that was shipped is too large")
            for info in archive.infolist():
                path = folder / info.filename
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise LoadError(f"the scenario that was shipped reaches out of its folder: {info.filename}")
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                contents[info.filename] = archive.read(info)
                path.write_bytes(contents[info.filename])
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as exc:
        raise LoadError(f"the scenario that was shipped cannot be unpacked: {exc}") from exc
    if digest_of(contents) != digest:
        raise LoadError("the scenario that was shipped is damaged: its hash differs")


def _readable(path: Path, read: Callable[[Path], T]) -> T:
    """Return what *read* returns of a file to ship. Raises UsageError if it cannot be read."""
    try:
        return read(path)
    except OSError as exc:
        raise UsageError(f"{path} cannot be shipped to workers: {exc.strerror}") from exc


def _below(root: Path, path: Path) -> Path:
    """Return *path* as it is below *root*, links in it included, or else where it leads to."""
    named = Path(os.path.abspath(path))
    return named if named.is_relative_to(root) else Path(os.path.realpath(path))


def _author_modules() -> list[Path]:
    """Return the files of the imported modules, without those of libraries."""
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name.partition(".")[0] not in LIBRARIES:
            found.append(Path(file))
    return found


def _shipped_root(file: Path, modules: Iterable[Path]) -> Path:
    """Return the folder to which names are relative: the project of the file, or the working directory around it.

    The working directory is importable, so it is the one where a module was imported from it.
    """
    root, here = project_root(file), Path.cwd().resolve()
    if not root.is_relative_to(here) or root == here:
        return root
    environments: dict[Path, bool] = {}
    names = (_below(here, path) for path in modules)
    outside = (path for path in names if path.is_relative_to(here) and not path.is_relative_to(root))
    return here if any(_is_shipped(path, here, environments) for path in outside) else root


def _is_shipped(path: Path, root: Path, environments: dict[Path, bool]) -> bool:
    """Return whether a file below *root* is the author's own; *environments* remembers which folders are not."""
    parts = path.relative_to(root).parts
    if any(part.startswith(".") or part in _EXCLUDED_FOLDERS for part in parts) or path.suffix == ".pyc":
        return False
    for folder in path.parents:
        if folder == root:
            break
        if folder not in environments:
            environments[folder] = any((folder / mark).exists() for mark in _ENVIRONMENT_MARKERS)
        if environments[folder]:
            return False
    return path.is_file() and os.access(path, os.R_OK)


def _walk(top: Path, is_shipped: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield the files to ship below a folder; folders that are never shipped are skipped. Raises UsageError."""
    count = 0
    for folder, folders, names in os.walk(top):
        here = Path(folder)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in _EXCLUDED_FOLDERS
            and not any((here / name / mark).exists() for mark in _ENVIRONMENT_MARKERS)
        ]
        for path in filter(is_shipped, map(here.joinpath, names)):
            count += 1
            if count > MAX_FILES:
                raise _too_many(top)
            yield path


def _too_many(where: Path) -> UsageError:
    return UsageError(
        f"more than {MAX_FILES:,} files would be shipped with {where}: move the scenario to a folder of its own, "
        "or give workers a file of their own with --no-ship"
    )
