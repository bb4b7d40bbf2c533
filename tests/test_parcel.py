"""What is shipped is what the scenario is made of, identified by its content."""

import io
import os
import sys
import zipfile
from pathlib import Path

import pytest

from chaperon.cluster import bundle
from chaperon.cluster.bundle import (
    OpenedFiles,
    bundle_files,
    digest_of,
    pack_bundle,
    read_files,
    split_target,
    unpack_bundle,
)
from chaperon.errors import LoadError, UsageError
from chaperon.execution.loader import load

FEED = """
from chaperon import feed, step
from parcel_helper import greeting

customers = feed("customers.csv")


@step
def look(session):
    session.get("/")
"""


@pytest.fixture
def alone(tmp_path):
    """A scenario that is no package, with what it reads beside it, and what it does not."""
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "shop.py").write_text(FEED)
    (folder / "customers.csv").write_text("name\nada\n")
    (folder / "parcel_helper.py").write_text("greeting = 'hello'\n")
    (folder / "secrets.txt").write_text("nobody's business")
    return folder


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "tests_of_shop"
    (folder / "deep" / "data").mkdir(parents=True)
    for name in ("__init__.py", "deep/__init__.py", "deep/shop.py", "deep/data/rows.csv", ".hidden", "old.pyc"):
        (folder / name).write_text("from chaperon import step\n" if name.endswith("shop.py") else "")
    return folder


def test_a_file_travels_with_what_it_imported_and_read_beside_it(alone):
    with OpenedFiles() as trail:
        load(str(alone / "shop.py"))

    assert sorted(bundle_files(alone / "shop.py", trail.paths)) == ["customers.csv", "parcel_helper.py", "shop.py"]


def test_a_package_travels_whole_but_for_what_is_hidden_or_compiled(package):
    files = bundle_files(package / "deep" / "shop.py")

    top = "tests_of_shop"
    assert sorted(files) == [
        f"{top}/__init__.py",
        f"{top}/deep/__init__.py",
        f"{top}/deep/data/rows.csv",
        f"{top}/deep/shop.py",
    ]


def test_what_is_asked_for_travels_too_if_it_is_below_the_folder(alone, tmp_path):
    (alone / "img").mkdir()
    (alone / "img" / "logo.png").write_bytes(b"png")

    files = bundle_files(alone / "shop.py", extra=[alone / "img", alone / "secrets.txt"])

    assert {"img/logo.png", "secrets.txt"} <= files.keys()
    with pytest.raises(UsageError, match="only what is below"):
        bundle_files(alone / "shop.py", extra=[tmp_path])


def test_a_link_in_the_folder_travels_under_its_name_as_what_it_leads_to(alone, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "parcel_helper", raising=False)
    elsewhere = tmp_path / "shared"
    (elsewhere / "rows").mkdir(parents=True)
    (elsewhere / "rows" / "one.csv").write_text("1\n")
    for name in ("customers.csv", "parcel_helper.py"):
        (elsewhere / name).write_text((alone / name).read_text())
        (alone / name).unlink()
        (alone / name).symlink_to(elsewhere / name)
    (alone / "data").symlink_to(elsewhere / "rows")
    (alone / "loop").symlink_to("loop")
    with OpenedFiles() as trail:
        load(str(alone / "shop.py"))

    files = bundle_files(alone / "shop.py", {*trail.paths, str(alone / "loop")}, [alone / "data"])

    assert sorted(files) == ["customers.csv", "data/one.csv", "parcel_helper.py", "shop.py"]
    made = pack_bundle(str(alone / "shop.py"), {}, files)
    unpack_bundle(made.content, made.digest, tmp_path / "there")
    assert (tmp_path / "there" / "customers.csv").read_text() == "name\nada\n"


def test_a_file_that_changes_while_it_is_packed_does_not_spoil_the_hash(alone, tmp_path, monkeypatch):
    log, read = alone / "customers.csv", Path.read_bytes

    def growing(path):
        try:
            return read(path)
        finally:
            log.write_bytes(read(log) + b"eve\n")

    files = bundle_files(alone / "shop.py", [str(log)])
    monkeypatch.setattr(Path, "read_bytes", growing)
    made = pack_bundle(str(alone / "shop.py"), {}, files)

    unpack_bundle(made.content, made.digest, tmp_path / "there")


def test_a_file_that_cannot_be_shipped_is_named(alone):
    name = os.fsdecode(b"caf\xe9.csv")
    (alone / name).write_text("1\n")
    files = bundle_files(alone / "shop.py", [str(alone / "customers.csv")])
    (alone / "customers.csv").unlink()

    with pytest.raises(UsageError, match=r"caf.*is no UTF-8: rename it"):
        bundle_files(alone / "shop.py", [str(alone / name)])
    with pytest.raises(UsageError, match=r"customers\.csv cannot be shipped to workers: No such file"):
        pack_bundle(str(alone / "shop.py"), {}, files)


def test_what_was_packed_is_unpacked_whole_and_known_by_its_hash(package, tmp_path):
    file = package / "deep" / "shop.py"
    made = pack_bundle(f"{file}:production", {"url": "http://x"}, bundle_files(file))

    unpack_bundle(made.content, made.digest, tmp_path / "there")

    assert made.target == "tests_of_shop/deep/shop.py:production"
    assert (tmp_path / "there" / "tests_of_shop" / "deep" / "shop.py").read_text() == file.read_text()
    assert made.digest == digest_of(read_files(bundle_files(tmp_path / "there" / "tests_of_shop" / "deep" / "shop.py")))


def test_the_hash_is_of_names_and_contents_alone(alone):
    file = alone / "shop.py"
    before = digest_of(read_files(bundle_files(file)))
    file.touch()

    same = digest_of(read_files(bundle_files(file)))
    file.write_text(FEED + "\n")

    assert before == same != digest_of(read_files(bundle_files(file)))


def test_a_parcel_that_was_tampered_with_is_refused(alone, tmp_path):
    made = pack_bundle(str(alone / "shop.py"), {}, bundle_files(alone / "shop.py"))
    other = pack_bundle(str(alone / "shop.py"), {}, {"shop.py": alone / "secrets.txt"})

    with pytest.raises(LoadError, match="its hash differs"):
        unpack_bundle(other.content, made.digest, tmp_path / "a")
    with pytest.raises(LoadError, match="cannot be unpacked"):
        unpack_bundle(made.content[:50], made.digest, tmp_path / "b")


@pytest.mark.parametrize("name", ["../outside.py", "/tmp/outside.py", "a/../../outside.py"])
def test_a_parcel_cannot_reach_out_of_its_folder(name, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "print('out')")

    with pytest.raises(LoadError, match="reaches out"):
        unpack_bundle(buffer.getvalue(), "", tmp_path / "in")
    assert not (tmp_path / "outside.py").exists()


def test_a_name_after_the_file_is_kept_apart(alone):
    assert split_target(f"{alone}/shop.py:fast") == (alone / "shop.py", ":fast")
    assert split_target(f"{alone}/shop.py") == (alone / "shop.py", "")
    assert split_target("elsewhere.py:fast") == (Path("elsewhere.py").resolve(), ":fast")


@pytest.mark.parametrize("name", ["venv", "env", ".venv", "my environment"])
@pytest.mark.parametrize("of", ["alone", "package"])
def test_a_virtual_environment_beside_the_scenario_is_not_shipped(of, name, request, monkeypatch):
    folder = request.getfixturevalue(of)
    site = folder / name / "lib" / "python3.11" / "site-packages" / "boto"
    site.mkdir(parents=True)
    (folder / name / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / name / "lib" / "loose.py").write_text("")
    (site / "__init__.py").write_text("")
    file = folder / "shop.py" if of == "alone" else folder / "deep" / "shop.py"
    for k, path in enumerate((site / "__init__.py", folder / name / "lib" / "loose.py")):
        module = type(io)(f"installed_{k}")
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    files = bundle_files(file, opened=[str(site / "__init__.py")])

    assert not [path for path in files if name in path]


@pytest.mark.parametrize("name", ["node_modules", "site-packages", "dist-packages", "__pycache__", ".git", ".tox"])
def test_what_is_installed_or_hidden_is_not_even_looked_into(package, name):
    (package / name / "deep").mkdir(parents=True)
    (package / name / "deep" / "index.js").write_text("")

    assert not [path for path in bundle_files(package / "deep" / "shop.py") if name in path]


def test_what_is_asked_for_by_name_does_not_bring_a_virtual_environment_along(alone):
    (alone / "data" / "venv").mkdir(parents=True)
    (alone / "data" / "venv" / "pyvenv.cfg").write_text("")
    (alone / "data" / "rows.csv").write_text("a\n")

    files = bundle_files(alone / "shop.py", extra=[alone / "data"])

    assert sorted(files) == ["data/rows.csv", "shop.py"]


def test_files_that_are_too_large_are_refused_by_name(alone, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_BYTES", 1_000)
    for k in range(8):
        (alone / f"rows_{k}.csv").write_bytes(bytes(250 + k))

    with pytest.raises(UsageError) as told:
        pack_bundle(str(alone / "shop.py"), {}, bundle_files(alone / "shop.py", extra=[alone]))

    assert "1,000 can be shipped; the largest are rows_7.csv (257), rows_6.csv (256), " in str(told.value)
    assert "rows_2.csv" not in str(told.value)
    assert "--no-ship" in str(told.value)


def test_too_many_files_are_refused_without_reading_all_of_them(package, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_FILES", 20)
    for k in range(40):
        (package / f"row_{k}.txt").write_text("")

    with pytest.raises(UsageError, match="more than 20 files would be shipped"):
        bundle_files(package / "deep" / "shop.py")
    with pytest.raises(UsageError, match="more than 20 files would be shipped"):
        bundle_files(package / "deep" / "shop.py", extra=[package])
