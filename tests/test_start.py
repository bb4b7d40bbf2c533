"""What starting the command line imports."""

import subprocess
import sys

import pytest


@pytest.mark.processes
def test_the_version_is_printed_without_gevent_and_requests():
    code = (
        "import sys; sys.argv = ['chaperon', '--version']\n"
        "try:\n    import chaperon.__main__\n"
        "finally:\n    print(sorted({'gevent', 'requests', 'click'} & set(sys.modules)))"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()

    assert said[0].startswith("chaperon ")
    assert said[1] == "[]"


@pytest.mark.processes
def test_the_version_is_the_same_beside_other_options():
    command = [sys.executable, "-m", "chaperon"]

    alone = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    doubled = subprocess.run([*command, "--version", "--version"], capture_output=True, text=True, check=True).stdout

    assert alone == doubled
