"""A scenario file as a module of its project: found by path or dotted name, imported with the project around it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from chaperon.author_frames import author_places
from chaperon.errors import ChaperonError, LoadError
from chaperon.execution.import_guard import LIBRARIES, search
from chaperon.forks import children_ended
from chaperon.interrupts import is_interrupt
from chaperon.measure.exception_text import describe, text_of


def locate(target: str) -> tuple[Path, str | None]:
    """Return the file of FILE[:NAME] or MODULE[:NAME], with the name if there is one.

    A module is a dotted name such as `loadtests.api`, looked for in the working directory, then where Python
    looks; a package is its `__init__.py`. A file that is not there is returned as it was named.
    """
    file, colon, name = target.rpartition(":")
    for place, wanted in ((target, None), (file, name or None)):
        if place and (found := _file_of(place)) is not None:
            return found, wanted
    return (Path(file), name) if colon and file else (Path(target), None)


def project_root(file: Path) -> Path:
    """Return the folder that imports of a file's project start from: above the topmost package the file is in."""
    folder = file.parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


def _is_dotted(path: Path) -> bool:
    """Return whether a path that leads nowhere may have been meant as the dotted name of a module."""
    parts = f"{path}".split(".")
    return len(parts) > 1 and parts[-1] != "py" and all(part.isidentifier() for part in parts)


def _near_file(path: Path) -> str:
    """Return "; did you mean shop.py?" if there is a file of a similar name; of a dotted name its module; else ""."""
    *packages, stem = path.stem.split(".") if path.suffix == ".py" else path.name.split(".")
    folder = path.parent.joinpath(*packages)
    stems = sorted(each.stem for each in folder.glob("*.py") if each.stem != "__init__")
    found = get_close_matches(stem, stems, 1)
    if not found:
        return ""
    near = ".".join([*packages, *found]) if packages else path.with_name(f"{found[0]}.py")
    return f"; did you mean {near}?"


def import_file(path: Path) -> ModuleType:
    """Import a scenario file, afresh, and return its module.

    A file in a package is imported as a part of it, so that relative imports work. Modules are found beside the
    file (beside its topmost package), then in the working directory. Raises LoadError, which names the line.
    """
    if path.is_dir():
        raise LoadError(f"{path} is a directory: name a Python file in it, or a package (with __init__.py)")
    if not path.is_file():
        what = "file or module" if _is_dotted(path) else "file"
        raise LoadError(f"no such {what}: {path}{_near_file(path)}")
    if path.suffix != ".py":
        k6 = "; docs/from-k6.md has each word of k6 with ours" if path.suffix in (".js", ".mjs", ".ts") else ""
        raise LoadError(f"{path} is not a Python file: its name must end in .py{k6}")
    file = path.resolve()
    root = project_root(file)
    search(os.getcwd())
    search(str(root), first=True)
    parts = file.relative_to(root).with_suffix("").parts
    alone = len(parts) == 1 and parts[-1] != "__init__"
    if alone or not all(part.isidentifier() for part in parts) or _guarded(parts[0]):
        return _run(path, lambda: _by_itself(file))
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    _forget(name, root)
    return _run(path, lambda: importlib.import_module(name))


def imported_names(module: ModuleType, path: Path) -> set[str]:
    """Return the names of a module that `import` statements of its file bind: what they name is not the file's own."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    package = module.__package__ or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
            if any(alias.name == "*" for alias in node.names):
                base = "." * node.level + (node.module or "")
                there = sys.modules.get(importlib.util.resolve_name(base, package) if node.level else base)
                own = vars(module)
                found |= {name for name, value in vars(there).items() if own.get(name) is value} if there else set()
    return found


def _file_of(place: str) -> Path | None:
    """Return the file that a path or a dotted module name leads to, or None."""
    path = Path(place)
    if path.is_dir() and (path / "__init__.py").is_file():
        return path / "__init__.py"
    if path.exists():
        return path
    parts = place.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for folder in (os.getcwd(), *sys.path):
        base = Path(folder, *parts)
        for candidate in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


def _guarded(name: str) -> bool:
    """Return whether a package of that name can never be the project's: it is Python's, or a library of Chaperon's."""
    return name in LIBRARIES or name in sys.stdlib_module_names


def _forget(name: str, root: Path) -> None:
    """Let a module be imported anew, and its package too where that is another project's of the same name."""
    top = name.partition(".")[0]
    known = sys.modules.get(top)
    places = [Path(place).resolve() for place in getattr(known, "__path__", ())]
    if known is not None and root / top not in places:
        for each in [each for each in sys.modules if each == top or each.startswith(f"{top}.")]:
            del sys.modules[each]
    sys.modules.pop(name, None)


def _by_itself(file: Path) -> ModuleType:
    stem = file.stem.replace(".", "_")  # a dot would make it a module of a package
    name = stem if stem not in sys.modules else f"scenario_{stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # its name ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _run(path: Path, make: Callable[[], ModuleType]) -> ModuleType:
    """Return what *make* imports. Raises LoadError for any exception of the file."""
    try:
        with children_ended():
            return make()
    except SyntaxError as exc:
        file = path if exc.filename in (None, str(path.resolve())) else exc.filename
        raise LoadError(f"{file}, line {exc.lineno or '?'}: syntax error: {exc.msg}") from exc
    except ChaperonError as exc:
        raise LoadError(f"{path}, line {_line(exc, path)}: {text_of(exc)}") from exc
    except BaseException as exc:
        if is_interrupt(exc):
            raise
        raise LoadError(f"{path}, line {_line(exc, path)}: {describe(exc)}") from exc


def _line(exc: BaseException, path: Path) -> int | str:
    """Return the last line of the file itself on the way to the exception."""
    here = str(path.resolve())
    lines = [place.line for place in author_places(exc, here) if place.file == here]
    return lines[-1] if lines else "?"
