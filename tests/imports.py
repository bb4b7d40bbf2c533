"""What the tests of imports share: a source is imported, its text is checked, the file is run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from thorough import some

RUFF = Path(sys.executable).with_name("ruff")


@pytest.fixture(params=some(["as written", "by ruff"], 2))
def formatting(request, monkeypatch):
    """Imports lay out their text by themselves, or with ruff, as in tests without this fixture."""
    if request.param == "as written":
        monkeypatch.setattr("chaperon.importing.kinds.formatter", lambda: None)


@pytest.fixture
def unformatted(monkeypatch):
    """No formatter is installed."""
    monkeypatch.setattr("chaperon.importing.kinds.formatter", lambda: None)


@pytest.fixture
def importing(command, target, tmp_path, monkeypatch):
    """Import a source, assert that the text is formatted and passes `chaperon check`; return the text."""

    def imported(kind, text, *, suffix="txt", secrets=(), check=True, url=None):
        (tmp_path / f"source.{suffix}").write_text(text, encoding="utf-8")
        done = command("import", kind, f"source.{suffix}")
        assert done.returncode == 0, done.stderr
        module = tmp_path / "shop.py"
        module.write_text(done.stdout)
        assert_formatted(module)
        # the file is loaded without its variables; a run says which is missing, and sends nothing
        for name in [each for each in secrets if each in done.stdout]:
            without = command("check", "shop.py", "--url", "http://127.0.0.1:1")
            assert without.returncode == 3, without.stdout + without.stderr
            assert re.fullmatch(r"chaperon: \S.*: the environment variable \w+ is not set: .*\n", without.stderr)
            monkeypatch.setenv(name, f"value-of-{name.lower()}")
        if secrets:
            assert command("ls", "shop.py").returncode == 0
        if check:
            module.write_text(re.sub(r'(think=|sleep\()(between\(.*?\)|"[\d.]+s")', r'\1"1ms"', done.stdout))
            checked = command("check", "shop.py", "--url", url or target.url)
            assert checked.returncode == 0, checked.stdout + checked.stderr
        imported.remarks = done.stderr
        return done.stdout

    return imported


def assert_formatted(file):
    """Assert that ruff would leave *file* as it is, at its default width and at a wider one, and finds no error."""
    for width in (88, 120):
        options = ["--isolated", "--config", f"line-length={width}"]
        done = subprocess.run([RUFF, "format", "--diff", *options, file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    done = subprocess.run([RUFF, "check", "--isolated", "--select", "F,I", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
