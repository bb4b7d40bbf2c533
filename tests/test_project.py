"""A scenario is part of a project: packages, relative imports, the working directory, targets by module name."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from unjudged import unjudged

from chaperon import LoadError
from chaperon.cli.commands.ls import ls
from chaperon.cluster.bundle import bundle_files, pack_bundle
from chaperon.execution.file_contents import contents, unused_warnings
from chaperon.execution.loader import load
from chaperon.execution.scenario_module import locate

CHAPERON = Path(__file__).resolve().parent.parent / "bin" / "chaperon"
STEP = "from chaperon import step\n"
FILES = {
    "common/__init__.py": "",
    "common/auth.py": "def login(session):\n    session.count('logged in')\n",
    "loadtests/__init__.py": STEP + "@step\ndef whole(session): session.count('package')\n",
    "loadtests/pages.py": "def look(session):\n    session.count('looked')\n",
    "loadtests/api.py": STEP + "from common.auth import login\n@step\ndef go(session): login(session)\n",
    "loadtests/rel.py": STEP + "from .pages import look\n@step\ndef go(session): look(session)\n",
    "loadtests/deep/__init__.py": "",
    "loadtests/deep/up.py": STEP + "from ..pages import look\n@step\ndef go(session): look(session)\n",
    "flat/alone.v2.py": STEP + "from alone import go as first\n@step\ndef go(session): first(session)\n",
    "loadtests/api.v2.py": STEP + "from loadtests.api import login\n@step\ndef go(session): login(session)\n",
    "loadtests/api-old.py": STEP + "from common.auth import login\n@step\ndef go(session): login(session)\n",
    "flat/alone.py": STEP + "from common.auth import login\n@step\ndef go(session): login(session)\n",
    "json/api.py": STEP + "@step\ndef go(session): session.count('shadowed')\n",
    "json/__init__.py": "",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("shop", "night", "loadtests", "common", "servers"):  # other tests load files of these names
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = dict(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


@pytest.mark.parametrize(
    "target",
    [
        "loadtests/api.py",
        "loadtests/rel.py",
        "loadtests/deep/up.py",
        "flat/alone.py",
        "flat/alone.v2.py",
        "loadtests/api.v2.py",
        "loadtests/api-old.py",
        "json/api.py",
        "loadtests",
        "loadtests.api",
        "loadtests.deep.up",
    ],
)
def test_a_file_of_a_project_is_imported_with_what_it_imports(project, target):
    assert load(target).entries[0].scenario.names in (["go"], ["whole"])


def test_a_name_may_stand_behind_a_module(project):
    (project / "loadtests" / "many.py").write_text(
        "from chaperon import Scenario\ndef go(session): pass\none = Scenario(go)\ntwo = Scenario(go)\n"
    )

    assert load("loadtests.many:two").name == "two"
    assert locate("loadtests/many.py:two") == (Path("loadtests/many.py"), "two")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("flat", "is a directory: name a Python file in it, or a package"),
        ("loadtests.nothing", "no such file or module: loadtests.nothing$"),
        ("nothing.py", "no such file: nothing.py$"),
        ("json/apo.py", r"no such file: json/apo.py; did you mean json/api\.py\?"),
        ("json/apo:go", r"no such file: json/apo; did you mean json/api\.py\?"),
        ("loadtests.apo", r"no such file or module: loadtests.apo; did you mean loadtests\.api\?"),
    ],
)
def test_a_target_that_is_none_is_refused_in_one_line(project, target, says):
    with pytest.raises(LoadError, match=says):
        load(target)


def test_two_projects_with_a_package_of_one_name_do_not_mix(project, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    (other / "loadtests").mkdir()
    (other / "loadtests" / "__init__.py").write_text("")
    (other / "loadtests" / "pages.py").write_text("def look(session): session.count('elsewhere')\n")
    (other / "loadtests" / "rel.py").write_text(FILES["loadtests/rel.py"].replace("go", "gone"))
    load("loadtests/rel.py")
    monkeypatch.chdir(other)

    assert load("loadtests/rel.py").entries[0].scenario.names == ["gone"]


# what a file imports is not the file's own

OWN_STEP = STEP + "from shop import visitor\n@step\ndef buy(session): session.run(visitor)\n"
SHOP = "from chaperon import Environment, Scenario, run\ndef look(session): pass\nvisitor = Scenario(look)\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (OWN_STEP, ["buy"]),
        ("from shop import *\n" + STEP + "@step\ndef buy(session): session.run(visitor)\n", ["buy"]),
        ("import shop\n" + STEP + "@step\ndef buy(session): session.run(shop.visitor)\n", ["buy"]),
        (
            "from chaperon import Scenario\nfrom shop import visitor as base\nnight = base.then(Scenario(len))\n",
            ["look"],
        ),
        ("from shop import visitor\n", ["look"]),
        ("from shop import visitor\nagain = visitor\n", ["look"]),
        ("from shop import production\n" + STEP + "@step\ndef buy(session): pass\n", ["buy"]),
    ],
)
def test_what_a_file_imports_never_displaces_what_it_defines(project, text, names):
    (project / "shop.py").write_text(SHOP + "production = Environment('http://h', scenarios=[run(visitor)])\n")
    (project / "night.py").write_text(text.replace("Scenario(len)", "Scenario(lambda session: None)"))

    assert load("night.py").entries[0].scenario.names[: len(names)] == names


def test_steps_that_nothing_uses_are_named(project):
    (project / "shop.py").write_text(
        "from chaperon import Scenario, step\n"
        "@step\ndef login(session): pass\n"
        "@step\ndef called(session): pass\n"
        "@step\ndef buy(session): called(session)\n"
        "@step\ndef forgotten(session): pass\n"
        "visitor = Scenario(login, buy)\n"
    )
    said = []

    load("shop.py", warn=said.append)

    assert said == ["step forgotten of shop.py is in no scenario: it is never run"]
    assert list(unused_warnings(contents("loadtests/api.py"))) == []


HEAD = "from chaperon import Environment, Scenario, measured, mix, run, step\n"
BUY = "@step\ndef buy(session): pass\n"
ENVIRONMENT = "production = Environment('http://h', scenarios=[run(Scenario(buy, name='shop'))])\n"
UNUSED = {
    "a function without @step": (
        BUY + "def look(session): session.get('/')\n",
        ["look of shop.py takes a session and is never called: write @step above it to make it a step"],
    ),
    "a measured function": (
        BUY + "@measured\ndef look(session, n=1): session.get('/')\n",
        ["look of shop.py takes a session and is never called: write @step above it to make it a step"],
    ),
    "init beside a scenario": (
        BUY + "def init(session): pass\ndef cleanup(session): pass\nshop = Scenario(buy)\n",
        [
            "init of shop.py is in no scenario: it is never run; pass it, as in Scenario(…, init=init)",
            "cleanup of shop.py is in no scenario: it is never run; pass it, as in Scenario(…, cleanup=cleanup)",
        ],
    ),
    "on_start beside steps": (
        BUY + "def on_start(session): pass\n",
        ["on_start of shop.py is never run: name it init"],
    ),
    "setup and teardown": (
        BUY + "def setup(): pass\ndef teardown(config): pass\n" + ENVIRONMENT,
        [
            "setup of shop.py is never run: pass it, as in Environment(…, setup=setup)",
            "teardown of shop.py is never run: pass it, as in Environment(…, teardown=teardown)",
        ],
    ),
    "a step beside an environment": (
        BUY + "@step\ndef look(session): pass\n" + ENVIRONMENT,
        ["step look of shop.py is in no scenario: it is never run"],
    ),
    "a scenario beside an environment": (
        BUY + "admin = Scenario(buy)\n" + ENVIRONMENT,
        ["scenario admin of shop.py is in no environment: it is run by name alone, as shop.py:admin"],
    ),
    # nothing to say
    "init and cleanup of steps": (BUY + "def init(session): pass\ndef cleanup(session): pass\n", []),
    "all in use": (
        BUY + "def init(session): pass\ndef setup(): pass\nshop = Scenario(buy, init=init)\n"
        "production = Environment('http://h', scenarios=[run(shop)], setup=setup)\n",
        [],
    ),
    "helpers": (
        "def helper(session): pass\n@measured\ndef timed(session): pass\ndef setup(session): pass\n"
        "def spawned(session): pass\ndef by_name(session): pass\ndef of_a_helper(session): helper(session)\n"
        "def _private(session): pass\ndef test_it(session): pass\ndef plain(url): pass\n"
        "TABLE = {'x': timed, 'y': 'by_name'}\n"
        "@step\ndef buy(session):\n    session.spawn(spawned)\n    for f in (setup, of_a_helper): f(session)\n",
        [],
    ),
    "functions of a scenario without @step": (
        "def buy(session): pass\ndef look(session): pass\nshop = Scenario(buy)\n"
        "production = Environment('http://h', scenarios=[run(mix({shop: 1, look: 2}))])\n",
        [],
    ),
    "steps beside an imported scenario": ("from other import visitor\n@step\ndef buy(session): pass\n", []),
    "one function under two names": (BUY + "again = buy\nshop = Scenario(again)\n", []),
}


@pytest.mark.parametrize(("text", "sentences"), UNUSED.values(), ids=UNUSED)
def test_what_nothing_uses_is_named_and_no_helper_is(project, text, sentences):
    (project / "other.py").write_text(HEAD + "def look(session): pass\nvisitor = Scenario(look)\n")
    (project / "shop.py").write_text(HEAD + text)
    said = []

    load("shop.py", warn=said.append)
    listed = CliRunner().invoke(ls, ["shop.py"])

    assert said == sentences
    assert listed.stderr.splitlines() == [f"chaperon: {sentence}" for sentence in sentences]


def test_a_scenario_that_the_command_line_names_is_in_use(project):
    (project / "shop.py").write_text(HEAD + BUY + "admin = Scenario(buy)\n" + ENVIRONMENT)
    said = []

    load("shop.py:admin", warn=said.append)

    assert said == []


def test_a_file_of_functions_alone_says_how_one_becomes_a_step(project):
    (project / "shop.py").write_text("def buy(session): pass\n")

    with pytest.raises(LoadError, match="buy takes a session: write @step above it to make it a step"):
        load("shop.py")


# what workers get


def test_what_is_shipped_is_what_was_imported_from_the_project(project):
    load("flat/alone.py")
    file = (project / "flat" / "alone.py").resolve()

    files = bundle_files(file)
    bundle = pack_bundle("flat/alone.py", {}, files)

    assert set(files) == {"flat/alone.py", "common/__init__.py", "common/auth.py"}
    assert bundle.target == "flat/alone.py"
    assert set(zipfile.ZipFile(io.BytesIO(bundle.content)).namelist()) == set(files)


def test_a_package_is_shipped_whole_with_what_it_imports_beside_it(project):
    load("loadtests/api.py")

    files = bundle_files((project / "loadtests" / "api.py").resolve())

    assert {"loadtests/api.py", "loadtests/deep/up.py", "common/auth.py"} <= set(files)
    assert not any(name.startswith(("json/", "flat/")) for name in files)


@pytest.mark.processes
def test_a_module_is_a_target_on_the_command_line_and_on_its_workers(project):
    for words in (
        ["check", "-m", "loadtests.api"],
        ["local", "flat/alone.v2.py", "--users", "2", "--processes", "2"],
    ):
        done = subprocess.run(
            [sys.executable, CHAPERON, *unjudged([*words, "--url", "http://127.0.0.1:1"])],
            capture_output=True,
            text=True,
        )

        assert done.returncode == 0, done.stdout + done.stderr
        assert "logged in" in done.stdout
