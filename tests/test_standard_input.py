"""A scenario from standard input: `chaperon local -`."""

import pytest

pytestmark = pytest.mark.processes

SCENARIO = """from chaperon import step


@step
def look(session):
    session.get("/")
"""


@pytest.mark.parametrize(
    "args", [["check"], ["local", "--iterations", "1"], ["local", "--iterations", "2", "--processes", "2"]]
)
def test_a_scenario_is_read_from_standard_input(process, target, args):
    name, *rest = args

    done = process(name, "-", *rest, "--url", target.url, input=SCENARIO)

    assert done.returncode == 0, done.stdout + done.stderr
    assert target.count("GET /") == (2 if "2" in rest else 1)


def test_its_plan_and_its_contents_are_shown(process):
    assert "look" in process("ls", "-", input=SCENARIO).stdout
    assert process("plan", "-", "--users", "3", "--hold", "1s", input=SCENARIO).returncode == 0


def test_it_finds_modules_of_the_working_directory(process, target, tmp_path):
    (tmp_path / "places.py").write_text("HOME = '/home'")

    text = SCENARIO.replace('"/"', "HOME")
    done = process("check", "-", "--url", target.url, input=f"from places import HOME\n{text}")

    assert done.returncode == 0, done.stderr
    assert target.asked == ["GET /home"]


@pytest.mark.parametrize(("text", "words"), [("", "it is empty"), ("x = (", "scenario.py, line 1: syntax error")])
def test_what_is_no_scenario_is_one_line_and_exit_code_3(process, text, words):
    done = process("check", "-", input=text)

    assert done.returncode == 3
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_temporary_folder_is_left(process, target, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))

    process("check", "-", "--url", target.url, input=SCENARIO)

    assert not list(folder.iterdir())


MANY = """from chaperon import Environment, Scenario, iterations, run, step


@step
def look(session):
    session.get(session.config["page"])


def environment(page):
    return Environment(scenarios=[run(Scenario(look), iterations(1))], config={"page": page})


first, second = environment("/first"), environment("/second")
"""


@pytest.mark.parametrize("target_of", ["-:second", "/dev/stdin:second"])
def test_one_of_several_environments_is_named_after_a_colon(process, target, target_of):
    done = process("check", target_of, "--url", target.url, input=MANY)

    assert done.returncode == 0, done.stderr
    assert target.asked == ["GET /second"]


def test_several_environments_are_named_as_they_are_typed(process):
    done = process("check", "-", input=MANY)

    assert done.returncode == 3
    assert done.stderr.rstrip().endswith("holds several environments: first, second; say which, as in -:first")
