"""The test suite of `requests` passes with our session in place of its own."""

import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from tempfile import mkdtemp

import pytest
import requests
from skips import SKIPS

HERE = Path(__file__).parent
LIBRARIES = ["pytest-httpbin", "pytest-mock", "PySocks"]
"""What the suite needs beside ours.

In a folder of their own, behind ours: pytest-httpbin is a plugin that every run of pytest would load, and the httpbin
that it brings asks for a greenlet older than gevent's.
"""


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def kept(request):
    """A folder whose content is made once, and then found again."""

    def found(name, make):
        folder = Path(request.config.cache.mkdir("compat")) / name
        if not folder.exists():
            unfinished = Path(mkdtemp(dir=folder.parent))
            make(unfinished)
            unfinished.rename(folder)
        return folder

    return found


@pytest.fixture
def suite(kept):
    """The source distribution of the `requests` that is installed."""
    name = f"requests-{requests.__version__}"

    def unpack(folder):
        pip("download", "--no-deps", "--no-binary", "requests", "-d", folder, name.replace("-", "=="))
        with tarfile.open(folder / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")

    return kept(name, unpack) / name


@pytest.fixture
def libraries(kept):
    name = "libraries-{}.{}".format(*sys.version_info)
    return kept(name, lambda folder: pip("install", "--target", folder, *LIBRARIES))


@pytest.mark.compat
@pytest.mark.timeout(330)
def test_the_suite_of_requests_passes_but_for_the_skips_in_the_table(suite, libraries, tmp_path):
    results = tmp_path / "results.xml"
    command = [sys.executable, HERE / "swapped.py", libraries, "tests/test_requests.py", "tests/test_lowlevel.py"]
    options = [
        "-oaddopts=",
        "-pno:cacheprovider",
        "--timeout=30",
        "--tb=short",
        "--disable-warnings",
        "-rfE",
        f"--junitxml={results}",
    ]

    done = subprocess.run([*command, *options], cwd=suite, capture_output=True, text=True, timeout=115)

    assert done.returncode == 0, done.stdout + done.stderr
    cases = list(ElementTree.parse(results).iter("testcase"))
    skipped = {case.get("name") for case in cases if case.find("skipped[@type='pytest.skip']") is not None}
    assert skipped == {name.partition("::")[2] for name in SKIPS}
    assert len(SKIPS) <= 10
    assert len(cases) > 350
