"""The scenario on its way to those who run it: known by what is in it."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from chaperon.errors import LoadError, UsageError

LARGEST = 64 << 20
"""Bytes all files may have together."""

_SKIPPED = {"__pycache__", "node_modules"}


@dataclass(frozen=True, slots=True)
class Parcel:
    """What workers need: where the scenario is, or what is shipped; with the orders for it."""

    target: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    content: bytes = b""


class Trail:
    """Sees which files are opened while the block lasts: what a scenario reads belongs to it."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._watching = False

    def __enter__(self) -> Trail:
        self._watching = True
        sys.addaudithook(self._hook)  # there is no way to take it back: it looks away afterwards
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching = False

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self._watching and event == "open" and isinstance(args[0], str):
            self.seen.add(args[0])


def split(target: str) -> tuple[Path, str]:
    """Return the file in FILE[:NAME], with «:NAME» or nothing."""
    path, colon, name = target.rpartition(":")
    if Path(target).exists() or not colon:
        return Path(target).resolve(), ""
    return Path(path).resolve(), f":{name}"


def belongings(file: Path, seen: Iterable[str] = (), also: Iterable[Path] = ()) -> dict[str, Path]:
    """Return what belongs to a scenario *file*, by the name it has below the folder that is shipped.

    In a package that is the whole package; else the file, with the modules it imported and the
    files it has *seen* beside it. *also* are files and folders that were asked for. Raises UsageError.
    """
    root = _root(file)
    if root == file.parent:
        modules = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        near = (Path(name).resolve() for name in (*seen, *filter(None, modules)))
        found = {file, *(path for path in near if path.is_relative_to(root) and _wanted(path, root))}
    else:
        top = root / file.relative_to(root).parts[0]
        found = {path for path in top.rglob("*") if _wanted(path, root)}
    for each in also:
        path = each.resolve()
        if not path.exists() or not path.is_relative_to(root):
            raise UsageError(f"--ship {each}: only what is below {root} travels with {file.name}")
        found |= {p for p in path.rglob("*") if _wanted(p, root)} if path.is_dir() else {path}
    return {str(PurePosixPath(path.relative_to(root))): path for path in sorted(found)}


def digest_of(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 of names with contents, in order."""
    whole = hashlib.sha256()
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        whole.update(f"{name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def pack(target: str, recipe: Mapping[str, Any], files: Mapping[str, Path]) -> Parcel:
    """Return all *files* in a parcel. Raises UsageError where they are too large."""
    size = sum(path.stat().st_size for path in files.values())
    if size > LARGEST:
        raise UsageError(f"the scenario's files have {size:,} bytes, {LARGEST:,} can be shipped: use --no-ship")
    file, name = split(target)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, path in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(inner), path.read_bytes(), zipfile.ZIP_DEFLATED)
    inside = str(PurePosixPath(file.relative_to(_root(file))))
    return Parcel(f"{inside}{name}", recipe, digest_of(files), buffer.getvalue())


def unpack(content: bytes, digest: str, folder: Path) -> None:
    """Write what is in a parcel to *folder*; raises LoadError where it is not what it is said to be."""
    files: dict[str, Path] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > LARGEST:
                raise LoadError("the scenario that was shipped is too large")
            for info in archive.infolist():
                path = folder / info.filename
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise LoadError(f"the scenario that was shipped reaches out of its folder: {info.filename}")
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                path.write_bytes(archive.read(info))
                files[info.filename] = path
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as exc:
        raise LoadError(f"the scenario that was shipped cannot be unpacked: {exc}") from exc
    if digest_of(files) != digest:
        raise LoadError("the scenario that was shipped is damaged: its hash is another")


def _root(file: Path) -> Path:
    """Return the folder that names count from: above the topmost package the file is in, else its own."""
    folder = file.parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


def _wanted(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    hidden = any(part.startswith(".") or part in _SKIPPED for part in parts)
    return not hidden and path.suffix != ".pyc" and path.is_file() and os.access(path, os.R_OK)
