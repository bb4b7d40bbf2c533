"""What runs with compiled code too: for each part of it, the files of tests that enter it and assert what it did.

`python tests/compiled_tests.py` prints the files, a line each, for `.ci/run`. The other tests are about what no build
changes: texts, arguments of commands, outputs, pages, imports.
"""

from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = {
    "chaperon/timers.py": "timers engine",
    "chaperon/measure/": "measure bounds caps plain_text censoring responses tags samples generator_part http wire "
    "exchanges journal",
    "chaperon/measure/precision/": "intervals long_run kept_seconds confidence comparison",
    "chaperon/measure/timed_block.py": "session where_raised",
    "chaperon/cluster/master/": "wire out_of_range cluster",
    "chaperon/report/run_sums.py": "bounds report live_page",
    "chaperon/report/spooling/": "intervals kept_seconds live_page",
    "chaperon/load/": "load engine engine_shapes ledger reckoning remnant dealing data watched",
    "chaperon/load/performers/": "engine engine_shapes users_per_second long_rests cluster",
    "chaperon/client/network/": "scripted_network transport connecting tls_streams origins "
    "session_setup stray_requests",
    "chaperon/client/http/": "transport any_bytes repeated_heads json_text streams lenient hostile request_target "
    "refused_cookies",
    "chaperon/client/known_parts.py": "known_secrets",
    "chaperon/client/current_session.py": "one_http_session mocks",
    "chaperon/client/websocket/": "websocket websocket_deflate websocket_frames websocket_faults websocket_handshake "
    "websocket_rooms socket_exchanges",
    "chaperon/session/": "session tasks signals",
    "chaperon/scenario/": "nesting flow wrong_tests raised raised_elsewhere warmup author_frames",
}
"""The names of files of tests, by the file or the folder of what `setup.py` compiles."""


def part_of(path):
    """Return the part, a key of TESTS, to which a compiled file belongs: the narrowest, or "" if there is none."""
    return max((part for part in TESTS if path.startswith(part)), key=len, default="")


def files():
    """Return the files of tests, sorted; what a build has compiled is for tests/test_compiled.py."""
    names = {name for names in TESTS.values() for name in names.split()} | {"compiled"}
    return [HERE / f"test_{name}.py" for name in sorted(names)]


if __name__ == "__main__":
    print(*(path.relative_to(HERE.parent) for path in files()), sep="\n")
