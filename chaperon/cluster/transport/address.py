"""The address of a master: three endpoints."""

from __future__ import annotations

import ipaddress
import re

from chaperon.errors import UsageError
from chaperon.lazy_dataclass import lazy_dataclass

PORT = 5570
MAX_PATH_BYTES = 107 - len(".work")
"""Maximum length of the path of a local socket, in bytes."""

_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:.]+\]|[^\[\]:/\s]+)(?::(\d{1,5}|\*))?")


@lazy_dataclass(frozen=True, slots=True)
class Address:
    """A master's address: a host with the first of three ports in a row, or a path."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return self.control

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read "tcp://host:port", the port optional, or "ipc:///path". Raises UsageError."""
        if text.startswith("ipc://") and len(text) > 6:
            path = text[6:]
            if len(path.encode()) > MAX_PATH_BYTES:
                raise UsageError(
                    f"{text!r} is too long for a local socket: use a path of at most {MAX_PATH_BYTES} bytes"
                )
            return cls(path=path)
        found = _TCP.fullmatch(text if "://" in text else f"tcp://{text}")
        if found is None:
            raise UsageError(f"{text!r} is not an address: write one like tcp://192.0.2.7:{PORT}")
        port = PORT if found.group(2) is None else 0 if found.group(2) == "*" else int(found.group(2))
        if port > 65533:
            raise UsageError(f"{text!r}: three ports in a row are needed, from the one given: at most 65533")
        return cls(found.group(1), port)

    @property
    def control(self) -> str:
        """The endpoint of small messages in both directions."""
        return self._endpoint(0, "")

    @property
    def work(self) -> str:
        """The endpoint at which shares are offered."""
        return self._endpoint(1, ".work")

    @property
    def sink(self) -> str:
        """The endpoint to which windows are sent."""
        return self._endpoint(2, ".sink")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def reachable(self) -> bool:
        """Whether a worker can connect to it: it has a host and a port, or a path, and is no pattern of a master's."""
        return bool(self.path) or (self.host != "*" and self.port > 0)

    @property
    def local(self) -> Address:
        """The address by which the machine itself reaches it."""
        everywhere = self.host in ("*", "0.0.0.0", "[::]")
        return Address("127.0.0.1", self.port) if everywhere else self

    def _endpoint(self, place: int, suffix: str) -> str:
        return f"ipc://{self.path}{suffix}" if self.path else f"tcp://{self.host}:{self.port + place}"
