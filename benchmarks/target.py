"""The target of every benchmark: nginx on free loopback ports, on a core of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import randrange
from urllib.error import URLError
from urllib.request import urlopen

import trustme

from benchmarks.machine import pinned, program

LARGE = 100_000

ADDRESSES = 4
"""Loopback addresses it serves on: from one address, some 28,000 connections go to each."""

# every place of it takes any method; bodies sent are read and thrown away
_CONFIG = """
daemon off;
{user}
worker_processes {workers};
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type text/plain;
    root {folder}/pages;
    open_file_cache max=100;
    server {{
        listen 127.0.0.1:{plain} backlog=16384{shared};
{others}
        listen 127.0.0.1:{tls} ssl backlog=4096;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        location = / {{ return 200 "hello\\n"; }}
        location = /json {{ default_type application/json; return 200 '{{"stored": true}}'; }}
        location = /login {{ add_header Set-Cookie "session=abcdef0123456789; Path=/"; return 200 "hello\\n"; }}
        location = /large {{ try_files /large =404; }}
    }}
    server {{
        listen 127.0.0.1:{status};
        location = /status {{ stub_status; }}
    }}
}}
"""


@dataclass
class Target:
    """A running nginx: where it is, what it has counted itself. *urls* are the same on several loopback addresses."""

    url: str
    tls_url: str
    certificate: Path
    status_url: str
    questions: int = 0
    urls: tuple[str, ...] = ()

    def requests(self) -> int:
        """Return how many requests it has answered so far, questions such as this not among them."""
        with urlopen(self.status_url, timeout=5) as reply:
            self.questions += 1
            return int(reply.read().splitlines()[2].split()[2]) - self.questions


@contextmanager
def nginx(folder: Path, core: int, connections: int = 19_000, workers: int = 1) -> Iterator[Target]:
    """Start nginx in *folder* on one core, yield it, always end it. Each of its *workers* takes *connections* at most.

    The kernel deals connections out to several workers evenly (SO_REUSEPORT).
    """
    plain, tls, status = _free_ports(3)
    (folder / "pages").mkdir()
    (folder / "pages" / "large").write_bytes(b"x" * LARGE)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for part in certificate.cert_chain_pems:
        part.write_to_path(folder / "server.pem", append=True)
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # else the worker may not look into the folder
    others = [f"127.0.0.{2 + n}:{plain}" for n in range(ADDRESSES - 1)]
    config.write_text(
        _CONFIG.format(
            folder=folder,
            plain=plain,
            tls=tls,
            status=status,
            user=user,
            connections=connections,
            files=connections + 500,
            workers=workers,
            shared=" reuseport" if workers > 1 else "",
            others="\n".join(
                f"        listen {address} backlog=16384{' reuseport' if workers > 1 else ''};" for address in others
            ),
        )
    )
    server = subprocess.Popen(pinned(core, [program("nginx"), "-e", f"{folder}/error.log", "-c", str(config)]))
    try:
        target = Target(
            f"http://127.0.0.1:{plain}",
            f"https://127.0.0.1:{tls}",
            folder / "ca.pem",
            f"http://127.0.0.1:{status}/status",
            urls=(f"http://127.0.0.1:{plain}", *(f"http://{address}" for address in others)),
        )
        _wait_for(target, server)
        yield target
    finally:
        server.terminate()
        server.wait(timeout=10)


def _free_ports(n: int) -> list[int]:
    """Return ports without a listener, below those the system gives to connections that go out."""
    ports: list[int] = []
    while len(ports) < n:
        port = randrange(20_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port not in ports:
            ports.append(port)
    return ports


def _wait_for(target: Target, server: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if server.poll() is not None:
            break
        try:
            with urlopen(target.url, timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise SystemExit("benchmarks: nginx did not start: see its lines above")
