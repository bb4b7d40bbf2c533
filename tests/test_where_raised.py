"""Where an exception of a scenario was raised: in report, JSON and `check`, for every kind of an author's code."""

import json

import pytest

HELPER = """
from chaperon import Environment, Scenario, measured, metric, run, step

def helper():
    return {}["missing"]

"""
BY_KIND = {
    "step": "@step\ndef browse(session):\n    helper()\n",
    "call": "@measured\ndef look(session):\n    helper()\n\n@step\ndef browse(session):\n    look(session)\n",
    "task": "@step\ndef browse(session):\n    session.spawn(lambda s: helper(), task='t')\n    session.join('t')\n",
    "init": "def init(session):\n    helper()\n\n@step\ndef browse(session):\n    pass\n",
    "cleanup": "@step\ndef browse(session):\n    pass\n\ndef cleanup(session):\n    helper()\n",
    "expect": "@step\ndef browse(session):\n    session.get('/', expect=lambda reply: helper())\n",
    "every": (
        "@step\ndef browse(session):\n    with session.every(0.01, lambda s: helper()):\n"
        "        session.clock.sleep(0.05)\n"
    ),
    "nested": (
        "@step\ndef inner(session):\n    helper()\n\nnested = Scenario(inner, name='nested')\n\n"
        "@step\ndef outer(session):\n    session.run(nested)\n\nbrowse = Scenario(outer)\n"
    ),
}
PLACE = "shop.py:5 in helper"


@pytest.fixture
def chaperon(tmp_path, command, target):
    def run(*args, file):
        (tmp_path / "shop.py").write_text(HELPER + file)
        return command(*args, "--url", target.url)

    run.folder = tmp_path
    return run


@pytest.mark.parametrize("kind", BY_KIND)
def test_the_report_names_the_line_that_raised(chaperon, kind):
    name = "shop.py:browse" if kind == "nested" else "shop.py"

    done = chaperon("local", name, "--json", "out.json", file=BY_KIND[kind])

    error = json.loads((chaperon.folder / "out.json").read_text())["errors"][0]
    assert error["where"] == PLACE
    assert error["sample"] == f"KeyError: 'missing' ({PLACE})"
    assert error["sample"] in done.stdout


@pytest.mark.parametrize("kind", BY_KIND)
def test_check_prints_the_traceback_cut_to_the_authors_lines(chaperon, kind):
    name = "shop.py:browse" if kind == "nested" else "shop.py"

    done = chaperon("check", name, file=BY_KIND[kind])

    lines = [line.strip() for line in done.stdout.splitlines()]
    start = lines.index("Traceback (most recent call last):")
    end = lines.index(f"KeyError: 'missing' ({PLACE})", start)
    assert [lines[end - 2].endswith("line 5, in helper"), lines[end - 1]] == [True, 'return {}["missing"]']
    assert all("shop.py" in line for line in lines[start:end] if line.startswith("File "))
    assert done.returncode == 4


@pytest.mark.parametrize(
    ("rule", "note"),
    [
        ("metric('broken', lambda sample: helper(), of='GET .*')", "samples metric('broken') could not compute"),
        ("lambda name: helper()", "series that keep their name, for a rule of metrics= failed"),
    ],
)
def test_a_rule_of_metrics_that_raises_is_noted_with_its_line(chaperon, rule, note):
    steps = "@step\ndef browse(session):\n    session.get('/')\n    session.get('/a')\n\nbrowsing = Scenario(browse)\n"
    file = f"{steps}shop = Environment(scenarios=[run(browsing)], metrics=[{rule}])\n"

    chaperon("local", "shop.py:shop", "--json", "out.json", file=file)

    notes = json.loads((chaperon.folder / "out.json").read_text())["notes"]
    assert notes[f"{note}: KeyError: 'missing' ({PLACE})"] >= 2


def test_check_prints_the_lines_of_a_setup_that_raises(chaperon):
    file = (
        "def prepare():\n    return helper()\n\n@step\ndef browse(session):\n    pass\n\nbrowsing = Scenario(browse)\n"
        "shop = Environment(scenarios=[run(browsing)], setup=prepare)\n"
    )

    done = chaperon("check", "shop.py:shop", file=file)

    assert done.returncode == 3
    lines = [line.strip() for line in done.stderr.splitlines()]
    assert lines[lines.index('return {}["missing"]') + 1] == "KeyError: 'missing'"
    assert f"the setup of 'shop' failed: KeyError: 'missing' ({PLACE})" in done.stderr


def test_a_long_message_is_shortened_and_never_its_place(chaperon):
    file = "@step\ndef browse(session):\n    raise ValueError('x' * 5000)\n"

    chaperon("local", "shop.py", "--json", "out.json", file=file)

    (error,) = json.loads((chaperon.folder / "out.json").read_text())["errors"]
    assert len(error["sample"]) == 500
    assert error["sample"].endswith("… (shop.py:9 in browse)")


@pytest.mark.parametrize("how", ["raise ValueError('no price') from exc", "raise ValueError('no price')"])
def test_check_prints_the_lines_of_causes_as_well(chaperon, how):
    file = f"@step\ndef browse(session):\n    try:\n        helper()\n    except KeyError as exc:\n        {how}\n"

    done = chaperon("check", "shop.py", file=file)

    lines = [line.strip() for line in done.stdout.splitlines()]
    led = lines.index("which led to")
    assert lines[led - 2 : led] == ['return {}["missing"]', "KeyError: 'missing'"]
    assert lines[led + 1] == "Traceback (most recent call last):"
    assert lines[led + 3 : led + 5] == [how, "ValueError: no price (shop.py:12 in browse)"]


def test_a_cause_that_was_suppressed_is_not_printed(chaperon):
    file = (
        "@step\ndef browse(session):\n    try:\n        helper()\n    except KeyError:\n"
        "        raise ValueError('no price') from None\n"
    )

    done = chaperon("check", "shop.py", file=file)

    assert "which led to" not in done.stdout
    assert done.stdout.count("Traceback") == 1
