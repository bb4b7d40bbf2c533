"""What is shipped is what the scenario is made of, told by its content."""

import io
import zipfile
from pathlib import Path

import pytest

from chaperon.cluster.parcel import Trail, belongings, digest_of, pack, split, unpack
from chaperon.errors import LoadError, UsageError
from chaperon.script.loader import load

FEED = '''
from chaperon import feed, step
from parcel_helper import greeting

customers = feed("customers.csv")


@step
def look(session):
    session.get("/")
'''


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
    with Trail() as trail:
        load(str(alone / "shop.py"))

    assert sorted(belongings(alone / "shop.py", trail.seen)) == ["customers.csv", "parcel_helper.py", "shop.py"]


def test_a_package_travels_whole_but_for_what_is_hidden_or_compiled(package):
    files = belongings(package / "deep" / "shop.py")

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

    files = belongings(alone / "shop.py", also=[alone / "img", alone / "secrets.txt"])

    assert {"img/logo.png", "secrets.txt"} <= files.keys()
    with pytest.raises(UsageError, match="only what is below"):
        belongings(alone / "shop.py", also=[tmp_path])


def test_what_was_packed_is_unpacked_whole_and_known_by_its_hash(package, tmp_path):
    file = package / "deep" / "shop.py"
    parcel = pack(f"{file}:production", {"url": "http://x"}, belongings(file))

    unpack(parcel.content, parcel.digest, tmp_path / "there")

    assert parcel.target == "tests_of_shop/deep/shop.py:production"
    assert (tmp_path / "there" / "tests_of_shop" / "deep" / "shop.py").read_text() == file.read_text()
    assert parcel.digest == digest_of(belongings(tmp_path / "there" / "tests_of_shop" / "deep" / "shop.py"))


def test_the_hash_is_of_names_and_contents_alone(alone):
    file = alone / "shop.py"
    before = digest_of(belongings(file))
    file.touch()

    same = digest_of(belongings(file))
    file.write_text(FEED + "\n")

    assert before == same != digest_of(belongings(file))


def test_a_parcel_that_was_tampered_with_is_refused(alone, tmp_path):
    parcel = pack(str(alone / "shop.py"), {}, belongings(alone / "shop.py"))
    other = pack(str(alone / "shop.py"), {}, {"shop.py": alone / "secrets.txt"})

    with pytest.raises(LoadError, match="its hash is another"):
        unpack(other.content, parcel.digest, tmp_path / "a")
    with pytest.raises(LoadError, match="cannot be unpacked"):
        unpack(parcel.content[:50], parcel.digest, tmp_path / "b")


@pytest.mark.parametrize("name", ["../outside.py", "/tmp/outside.py", "a/../../outside.py"])
def test_a_parcel_cannot_reach_out_of_its_folder(name, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "print('out')")

    with pytest.raises(LoadError, match="reaches out"):
        unpack(buffer.getvalue(), "", tmp_path / "in")
    assert not (tmp_path / "outside.py").exists()


def test_a_name_after_the_file_is_kept_apart(alone):
    assert split(f"{alone}/shop.py:fast") == (alone / "shop.py", ":fast")
    assert split(f"{alone}/shop.py") == (alone / "shop.py", "")
    assert split("elsewhere.py:fast") == (Path("elsewhere.py").resolve(), ":fast")
