"""Chaperon as an install has it, compiled: a copy of this checkout, built once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.machine import cache

CHECKOUT = Path(os.environ.get("BENCHMARKED_CHECKOUT") or Path(__file__).resolve().parent.parent)
"""Where the source is that was copied, or is run as it is written."""

STARTED_IN = Path(os.environ.get("BENCHMARKED_FROM") or Path.cwd())
"""The working directory of the command, which relative paths on its command line begin at."""

_PARTS = ("chaperon", "bin", "setup.py", "setup.cfg", "pyproject.toml", "README.md")
_FRESH = "benchmarks"
"""Copied each time: a change of it compiles nothing anew."""


def go_on_compiled() -> None:
    """Take the place of this process with one that does the same from a compiled copy, unless this is one."""
    if find_spec("chaperon.visit__mypyc") is not None:
        return
    copy = _copy()
    places = {"BENCHMARKED_CHECKOUT": str(CHECKOUT), "BENCHMARKED_FROM": str(STARTED_IN), "PYTHONPATH": str(copy)}
    environment = {**os.environ, **places}
    os.chdir(copy)
    os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], environment)


def _copy() -> Path:
    """Return the folder of the copy, built now if the source has changed."""
    tag = f"py{sys.version_info.major}.{sys.version_info.minor}"
    place = cache() / f"chaperon-{_digest()}-{tag}"
    if not (place / "whole").exists():
        print(f"compiling chaperon into {place}", flush=True)
        for old in [*cache().glob(f"chaperon-*-{tag}")]:
            shutil.rmtree(old)
        place.mkdir(parents=True)
        for part in _PARTS:
            if (CHECKOUT / part).is_dir():
                _copy_folder(part, place)
            else:
                shutil.copy(CHECKOUT / part, place)
        _build(place)
    _copy_folder(_FRESH, place)
    return place


def compiled_commit(commit: str) -> Path:
    """Return the folder of an earlier commit, compiled; built now if it is not there. Blocks for a minute or two."""
    git = ("git", "-C", str(CHECKOUT))
    named = subprocess.run([*git, "rev-parse", "--verify", f"{commit}^{{commit}}"], capture_output=True, text=True)
    if named.returncode:
        raise SystemExit(f"benchmarks: there is no commit {commit!r} in {CHECKOUT}")
    found = named.stdout.strip()
    place = cache() / f"commit-{found[:12]}-py{sys.version_info.major}.{sys.version_info.minor}"
    if not (place / "whole").exists():
        print(f"compiling {found[:7]} into {place}", flush=True)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        content = subprocess.run([*git, "archive", found], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x"], cwd=place, input=content, check=True)
        _build(place)
    return place


def _build(place: Path) -> None:
    built = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"], cwd=place, capture_output=True, text=True
    )
    if built.returncode or not list((place / "chaperon").glob("visit__mypyc*")):
        why = "Chaperon could not be compiled; --as-written measures it as it is"
        raise SystemExit(f"benchmarks: {why}:\n{built.stderr[-2000:]}")
    (place / "whole").touch()


def _copy_folder(name: str, place: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(CHECKOUT / name, place / name, ignore=ignored, dirs_exist_ok=True)


def _digest() -> str:
    files = [file for part in _PARTS for kind in ("*.py", "*.c") for file in sorted((CHECKOUT / part).rglob(kind))]
    told = hashlib.sha256()
    for file in [*files, CHECKOUT / "setup.py"]:
        told.update(file.read_bytes())
    return told.hexdigest()[:12]
