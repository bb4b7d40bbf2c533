"""Sending the seconds of a run to a server over HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import requests

from chaperon.errors import OutputError
from chaperon.measure.plain_text import encodable

CONNECT, READ = 2.0, 5.0
"""Seconds a request may take to connect, and between two bytes of its answer."""
SHOWN = 200
"""Characters of a refusal that are shown."""


class Sender:
    """Posts bodies to one URL with a plain `requests` session; nothing of it is measured. Calls block the greenlet."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers.update(headers)

    def __repr__(self) -> str:
        return f"<Sender to {shown(self._url)}>"

    def post(self, body: bytes) -> None:
        """Post one body, compressed. Raises OutputError if the server does not accept it or cannot be reached."""
        try:
            answer = self._session.post(
                self._url,
                data=gzip.compress(body, 1),
                headers={"Content-Encoding": "gzip"},
                timeout=(CONNECT, READ),
                allow_redirects=False,
            )
        except requests.RequestException as exc:
            raise OutputError(f"cannot reach {shown(self._url)}: {type(exc).__name__}") from exc
        if not 200 <= answer.status_code < 300:
            words = encodable(" ".join(answer.text.split()), SHOWN)
            raise OutputError(f"{shown(self._url)} answered {answer.status_code}{f': {words}' if words else ''}")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def shown(url: str) -> str:
    """Return a URL as messages show it: without user, password and query."""
    head, at, tail = url.partition("?")[0].rpartition("@")
    return f"{head.partition('//')[0]}//{tail}" if at else tail
