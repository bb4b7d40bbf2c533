"""Files beside a scenario are imported, but never in place of a library of the same name."""

import json
import subprocess
import sys
from importlib import import_module, metadata

import pytest
from unjudged import unjudged

from chaperon.execution.import_guard import LIBRARIES, search
from chaperon.execution.scenario_module import import_file

SHOP = "import mine\nfrom chaperon import step\n\n@step\ndef look(session):\n    session.get(mine.PATH)\n"


def needed(name, seen):
    """Gather a distribution with all it needs, but for extras."""
    if name not in seen:
        seen[name] = metadata.distribution(name)
        for line in seen[name].requires or ():
            needs, _, condition = line.partition(";")
            if "extra" not in condition:
                for end in "<>=!~[( ":
                    needs = needs.partition(end)[0]
                try:
                    needed(needs, seen)
                except metadata.PackageNotFoundError:
                    continue  # for another Python, or another system
    return seen


def test_every_library_that_is_needed_is_known_by_the_name_it_is_imported_by():
    found = set()
    for distribution in needed("chaperon", {}).values():
        for file in distribution.files or ():
            top = file.parts[0]
            if file.suffix in {".py", ".so"} and not top.startswith(("_", "..")) and "-" not in top:
                found.add(top.partition(".")[0])

    of_no_use = {"benchmark", "benchmarks", "tests", "bin", "src", "setup"}  # which some install, or have in a checkout
    assert found - of_no_use <= LIBRARIES


@pytest.fixture
def paths(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize("known", ["nowhere", "searched before", "on the path"])
def test_what_is_beside_the_file_comes_before_what_is_in_the_working_directory(tmp_path, paths, monkeypatch, known):
    for folder in ("there", "here"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "beside_both.py").write_text(f"WHERE = {folder!r}\n")
    (tmp_path / "there" / "trading.py").write_text("import beside_both\nWHERE = beside_both.WHERE\n")
    monkeypatch.chdir(tmp_path / "here")
    if known == "searched before":
        search(str(tmp_path / "there"))
    elif known == "on the path":
        sys.path.append(str(tmp_path / "there"))

    assert import_file(tmp_path / "there" / "trading.py").WHERE == "there"


def test_a_module_of_ones_own_is_found_and_one_that_is_called_as_pythons_is_not(tmp_path, paths):
    for name in ("of_ones_own", "sndhdr", "stringprep"):
        (tmp_path / f"{name}.py").write_text("HERE = True\n")
    sys.modules.pop("stringprep", None)

    search(str(tmp_path))

    assert import_module("of_ones_own").HERE
    assert not hasattr(import_module("stringprep"), "HERE")


def test_a_library_that_is_not_there_is_not_there_whatever_lies_beside(tmp_path, paths, monkeypatch):
    monkeypatch.setattr("chaperon.execution.import_guard.LIBRARIES", LIBRARIES | {"not_installed"})
    (tmp_path / "not_installed.py").write_text("HERE = True\n")

    search(str(tmp_path))

    with pytest.raises(ModuleNotFoundError, match="'not_installed'"):
        import_module("not_installed")


@pytest.mark.processes
@pytest.mark.parametrize("args", [(), ("--processes", "2")])
def test_a_folder_full_of_files_with_the_names_of_libraries_disturbs_nobody(tmp_path, target, args):
    for name in (LIBRARIES | sys.stdlib_module_names) - {"builtins", "sys"}:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name}.py was taken for a library')\n")
    (tmp_path / "mine.py").write_text("PATH = '/mine'\n")
    (tmp_path / "shop.py").write_text(SHOP)
    door = "import sys; del sys.path[0]; from chaperon.__main__ import main; main()"  # as the installed command

    done = subprocess.run(
        [
            *(sys.executable, "-c", door),
            *unjudged(["local", "shop.py", "--url", target.url, "--iterations", "4", "--json", "o.json", *args]),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=40,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 planned = 4 done" in done.stdout
    assert json.loads((tmp_path / "o.json").read_text())["verdict"] == "PASS"
    assert target.count("GET /mine") == 4
