"""Builds Chaperon. An install is compiled by mypyc where that works; an editable one stays as it is written."""

import sys
import warnings

from setuptools import setup

COMPILED = [
    "chaperon/measure/plain_text.py",
    "chaperon/measure/sample.py",
    "chaperon/measure/window.py",
    "chaperon/measure/hub_lag.py",
    "chaperon/measure/recorder.py",
    "chaperon/measure/meter.py",
    "chaperon/load/phases.py",
    "chaperon/load/share.py",
    "chaperon/load/in_flight.py",
    "chaperon/load/performers/performer.py",
    "chaperon/load/performers/closed_load.py",
    "chaperon/load/performers/open_load.py",
    "chaperon/load/performers/arriving_users.py",
    "chaperon/client/network/tcp.py",
    "chaperon/client/network/tls.py",
    "chaperon/client/network/connect.py",
    "chaperon/client/http/parser.py",
    "chaperon/client/http/connection.py",
    "chaperon/client/http/pool.py",
    "chaperon/client/http/json_codec.py",
    "chaperon/client/http/request_templates.py",
    "chaperon/client/http/fast_path.py",
    "chaperon/measure/timed_block.py",
    "chaperon/session/tasks.py",
    "chaperon/session/clients.py",
    "chaperon/scenario/visits.py",
]
"""What every visit passes through. The source is the same, with or without a compiler."""


def compiled():
    """Return the extensions to be built: none where nothing is, or mypyc is not at hand."""
    if not {"bdist_wheel", "build_ext"} & set(sys.argv):
        return []
    try:
        from mypyc.build import mypycify

        alike = ["--config-file=", "--no-site-packages", "--ignore-missing-imports", "--follow-imports=silent"]
        found = mypycify([*alike, *COMPILED], debug_level="1", group_name="chaperon.visit")
    except (ImportError, SystemExit) as exc:
        warnings.warn(f"Chaperon stays as it is written, not compiled, and slower for it: {exc}", stacklevel=1)
        return []
    for extension in found:
        extension.optional = True  # without a C compiler it is as good, only slower
    return found


setup(ext_modules=compiled())
