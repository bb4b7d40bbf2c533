"""The public surface: names, signatures, errors, help texts, exit codes, held against a text file.

A change on purpose is written down by `python tests/test_surface.py`; the diff then shows it to a reader.
"""

import inspect
import re
import subprocess
import sys
from difflib import unified_diff
from pathlib import Path

import pytest
from click.testing import CliRunner

pytestmark = pytest.mark.processes

SNAPSHOT = Path(__file__).with_name("surface.txt")


def signature_of(member):
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(member)))
    except (TypeError, ValueError):
        return ""


def members_of(kind):
    """Yield a line for every public attribute of a class that Chaperon itself defines."""
    for name in sorted(n for n in dir(kind) if not n.startswith("_")):
        owner = next((c for c in kind.__mro__ if name in vars(c)), None)
        if owner is None or not owner.__module__.startswith("chaperon"):
            continue
        member = inspect.getattr_static(kind, name)
        if isinstance(member, property):
            yield f"    .{name}"
        elif isinstance(member, (staticmethod, classmethod)) or callable(member):
            yield f"    .{name}{signature_of(getattr(kind, name))}"
        else:
            yield f"    .{name}"


def api():
    import chaperon
    import chaperon.testing

    for module in (chaperon, chaperon.testing):
        yield f"# {module.__name__}"
        for name in sorted(module.__all__):
            value = getattr(module, name)
            if not inspect.isclass(value):
                yield f"{name}{signature_of(value) if callable(value) else ''}"
            elif issubclass(value, BaseException):
                bases = ", ".join(base.__name__ for base in value.__bases__)
                yield f"error {name}({bases})"
            else:
                yield f"class {name}{signature_of(value)}"
                yield from members_of(value)
        yield ""


def exit_codes():
    from chaperon import errors
    from chaperon.cli.main import exit_code
    from chaperon.report.report import Verdict

    yield "# exit codes"
    yield from (f"{verdict.value}: {verdict.exit_code}" for verdict in Verdict)
    public = [value for name, value in vars(errors).items() if not name.startswith("_")]
    kinds = [k for k in public if inspect.isclass(k) and issubclass(k, errors.ChaperonError)]
    for kind in sorted(kinds, key=lambda k: k.__name__):
        yield f"{kind.__name__}: {exit_code(kind.__new__(kind))}"
    yield ""


def help_texts():
    from chaperon.cli.main import COMMANDS, chaperon

    for words in [[], *([command] for command in sorted(COMMANDS))]:
        yield f"# chaperon {' '.join([*words, '--help'])}"
        shown = CliRunner().invoke(chaperon, [*words, "--help"], prog_name="chaperon", terminal_width=100)
        assert shown.exit_code == 0, shown.output
        yield from shown.output.splitlines()
        yield ""


def surface():
    return [line.rstrip() for part in (api(), exit_codes(), help_texts()) for line in part]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="signatures are worded differently by other Pythons")
def test_the_public_surface_is_the_one_written_down():
    kept = SNAPSHOT.read_text().splitlines()

    shown = subprocess.run([sys.executable, __file__, "--print"], check=True, capture_output=True, text=True)  # afresh
    changed = "\n".join(unified_diff(kept, shown.stdout.splitlines(), "tests/surface.txt", "the code", lineterm=""))

    assert not changed, f"{changed}\nif this change is meant: python tests/test_surface.py"


if __name__ == "__main__":
    text = "\n".join(surface()) + "\n"
    if "--print" in sys.argv:
        sys.stdout.write(text)
    else:
        SNAPSHOT.write_text(text)
