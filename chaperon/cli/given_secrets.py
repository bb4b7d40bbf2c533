"""The secrets that options hold, which no output may show."""

from __future__ import annotations

from collections.abc import Iterable

from chaperon.execution.secrets.known_secrets import of_headers, of_settings, of_url
from chaperon.execution.secrets.secret_references import header_reference, reference_of


def given_secrets(*, headers: Iterable[str] = (), settings: Iterable[str] = (), url: str = "") -> set[str]:
    """Return the secrets in the values of --header, --set and --url."""
    fields = [text.partition(":") for text in headers]
    pairs = [text.partition("=") for text in settings]
    return {
        *of_headers({name.strip(): header_reference(name.strip(), value.strip()) for name, _, value in fields}),
        *of_settings({key: reference_of(value.strip('"')) for key, _, value in pairs}),
        *of_url(url),
    }
