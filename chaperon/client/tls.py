"""TLS contexts, each built once for all the connections that share its settings."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from chaperon.errors import UsageError


def context_for(verify: bool | str = True, cert: Any = None) -> ssl.SSLContext:
    """Return the context for a service's *verify* and *cert*, as `requests` takes them.

    Loading a bundle of certificates takes about 10 ms and 400 kB, so thousands of users share
    one. Raises UsageError where a file cannot be read.
    """
    return _context(verify, tuple(cert) if isinstance(cert, list) else cert)


@lru_cache(maxsize=64)
def _context(verify: bool | str, cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            bundle = DEFAULT_CA_BUNDLE_PATH if verify is True else verify
            found = {"capath": bundle} if os.path.isdir(bundle) else {"cafile": bundle}
            context.load_verify_locations(**found)
        if cert is not None:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as exc:
        raise UsageError(f"no TLS with verify={verify!r}, cert={cert!r}: {exc}") from exc
    return context
