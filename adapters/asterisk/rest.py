"""Asterisk's REST interface by plain HTTP, for whoever asks once and goes; see `ari.py` for a connection that stays."""

from __future__ import annotations

import httpx

REQUEST_S = 2.0


def rest_client(url: str, user: str, password: str) -> httpx.AsyncClient:
    """A client for one Asterisk."""
    return httpx.AsyncClient(base_url=url, auth=(user, password), timeout=REQUEST_S, trust_env=False)
