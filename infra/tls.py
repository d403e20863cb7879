"""The certificates that this machine trusts, read once for a process."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """For ``verify=`` of a client. Asked for at start-up: reading them takes 0.1 to 0.2 s, which callers notice."""
    return httpx.create_ssl_context()
