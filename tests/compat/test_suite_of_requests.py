"""The test suite of `requests` passes with our session in place of its own."""

import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import requests
from made_once import made_once
from skips import OF_ENVIRONMENT, SKIPS

HERE = Path(__file__).parent
TESTS = ["tests/test_requests.py", "tests/test_lowlevel.py"]
LIBRARIES = ["pytest-httpbin", "pytest-mock", "PySocks"]
"""What the suite needs beside ours.

In a folder of their own, behind ours: pytest-httpbin is a plugin that every run of pytest would load, and the httpbin
that it brings asks for a greenlet older than gevent's.
"""


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def kept(request, name, make):
    """Return a folder that is made once, and then found again by every run of the tests."""
    return made_once(request.config.cache.mkdir("compat"), name, make)


@pytest.fixture(scope="module")
def suite(request):
    """The source distribution of the `requests` that is installed."""
    name = f"requests-{requests.__version__}"

    def unpack(folder):
        pip("download", "--no-deps", "--no-binary", "requests", "-d", folder, name.replace("-", "=="))
        with tarfile.open(folder / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")

    return kept(request, name, unpack) / name


@pytest.fixture(scope="module")
def libraries(request):
    name = "libraries-{}.{}".format(*sys.version_info)
    return kept(request, name, lambda folder: pip("install", "--no-compile", "--target", folder, *LIBRARIES))


@pytest.fixture(scope="module")
def ways(suite, libraries, tmp_path_factory):
    """Start the suite one way: return the process, its results, its output.

    Where one process runs these tests all are started at once, for they mostly wait.
    """
    options = ["-oaddopts=", "-pno:cacheprovider", "--timeout=30", "--tb=short", "--disable-warnings", "-rfE"]
    started = {}

    def start(way):
        if way in started:
            return started[way]
        folder = tmp_path_factory.mktemp(way)
        results, said = folder / "results.xml", folder / "said.txt"
        command = [sys.executable, HERE / "swapped.py", libraries, way, *TESTS, *options, f"--junitxml={results}"]
        if way == "short":
            command += ["-k", f"not ({OF_ENVIRONMENT})"]
        with said.open("w") as output:
            process = subprocess.Popen(command, cwd=suite, stdout=output, stderr=subprocess.STDOUT)
        started[way] = process, results, said
        return started[way]

    if "PYTEST_XDIST_WORKER" not in os.environ:
        for way in SKIPS:
            start(way)
    yield start
    for process, _, _ in started.values():
        process.kill()
        process.wait()


@pytest.mark.compat
@pytest.mark.timeout(330)
@pytest.mark.parametrize("way", SKIPS)
def test_the_suite_of_requests_passes_but_for_the_skips_in_the_table(way, ways):
    process, results, said = ways(way)

    process.wait(timeout=115)

    assert process.returncode == 0, said.read_text()
    cases = list(ElementTree.parse(results).iter("testcase"))
    skipped = {case.get("name") for case in cases if case.find("skipped[@type='pytest.skip']") is not None}
    assert skipped == {name.partition("::")[2] for name in SKIPS[way]}
    assert len(skipped) <= 10
    assert len(cases) > (320 if way == "short" else 350)
