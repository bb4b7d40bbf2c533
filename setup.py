"""Builds Chaperon. An install is compiled by mypyc where that works; an editable one stays as it is written."""

import hashlib
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

from setuptools import setup

COMPILED = [
    "chaperon/timers.py",
    "chaperon/measure/plain_text.py",
    "chaperon/measure/sample.py",
    "chaperon/measure/window.py",
    "chaperon/measure/hub_lag.py",
    "chaperon/measure/caps.py",
    "chaperon/measure/recorder.py",
    "chaperon/measure/meter.py",
    "chaperon/measure/encoding/strict_msgpack.py",
    "chaperon/measure/encoding/series_columns.py",
    "chaperon/measure/encoding/window_codec.py",
    "chaperon/measure/window_merge.py",
    "chaperon/measure/sketch.py",
    "chaperon/measure/series.py",
    "chaperon/measure/precision/centroids.py",
    "chaperon/measure/precision/second_counts.py",
    "chaperon/measure/precision/kept_seconds.py",
    "chaperon/measure/precision/history.py",
    "chaperon/measure/precision/long_run.py",
    "chaperon/report/run_sums.py",
    "chaperon/cluster/master/progress.py",
    "chaperon/cluster/master/windows.py",
    "chaperon/report/spooling/spool.py",
    "chaperon/load/arrival.py",
    "chaperon/load/current_visit.py",
    "chaperon/load/phases.py",
    "chaperon/load/share.py",
    "chaperon/load/visitor.py",
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
    "chaperon/client/known_parts.py",
    "chaperon/client/current_session.py",
    "chaperon/client/http/fast_path.py",
    "chaperon/client/websocket/masking.py",
    "chaperon/client/websocket/frames.py",
    "chaperon/client/websocket/deflate.py",
    "chaperon/client/websocket/frame_decoder.py",
    "chaperon/client/websocket/waiters.py",
    "chaperon/client/websocket/message_queue.py",
    "chaperon/client/websocket/transport.py",
    "chaperon/client/websocket/conversation.py",
    "chaperon/client/websocket/metrics.py",
    "chaperon/client/websocket/protocol.py",
    "chaperon/client/websocket/measured_calls.py",
    "chaperon/measure/timed_block.py",
    "chaperon/session/tasks.py",
    "chaperon/session/clients.py",
    "chaperon/scenario/step_loop.py",
    "chaperon/scenario/visits.py",
]
"""What every visit and every window pass through. The source is the same, with or without a compiler."""


def compiled():
    """Return the extensions to be built: none where nothing is, or mypyc is not at hand."""
    if not {"bdist_wheel", "build_ext"} & set(sys.argv):
        return []
    try:
        from mypyc.build import mypycify

        alike = ["--config-file=", "--no-site-packages", "--ignore-missing-imports", "--follow-imports=silent"]
        level = os.environ.get("MYPYC_OPT_LEVEL", "3")  # as mypyc's own command reads it
        found = mypycify([*alike, *COMPILED], opt_level=level, debug_level="1", group_name="chaperon.visit")
    except (ImportError, SystemExit) as exc:
        warnings.warn(f"Chaperon stays as it is written, not compiled, and slower for it: {exc}", stacklevel=1)
        return []
    for extension in found:
        extension.optional = True  # without a C compiler it is as good, only slower
        extension.extra_compile_args.append("-Wno-all")  # looking for warnings takes longer than compiling, unoptimized
    return found


UPLOT = {
    "uplot.iife.min.js": "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2",
    "uplot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
"""The files of uPlot 1.6.31 that the page draws with, by their SHA-256; the package youplot carries them."""
VENDOR = Path(__file__).resolve().parent / "chaperon" / "report" / "page" / "vendor"


def copy_uplot():
    """Copy uPlot into the package, or leave the copy that is there. Without one the page draws small lines."""
    found = find_spec("youplot")
    source = Path(found.origin).parent / "vendor" if found and found.origin else None
    for name, digest in UPLOT.items():
        if source is not None and (source / name).is_file():
            content = (source / name).read_bytes()
            if hashlib.sha256(content).hexdigest() == digest:
                VENDOR.mkdir(exist_ok=True)
                (VENDOR / name).write_bytes(content)
                continue
        if not (VENDOR / name).is_file():
            warnings.warn(f"the page is built without {name}: its charts are small lines", stacklevel=1)


copy_uplot()
setup(ext_modules=compiled())
