"""The Flask rival's sessions in Redis: JSON, sealed with the call's key, which stands before it, wrapped."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import redis

from infra.crypto import KeyRing
from tests.bench.rivals.records import Call

KEEP_S = 6 * 3600
_WRAPPED = 12 + 32 + 16  # octets: nonce, key, tag


class Sessions:
    """One string for each call."""

    def __init__(self, url: str, keys: KeyRing) -> None:
        self._redis = redis.Redis.from_url(url)
        self._keys = keys

    def document(self, call_ref: str, token: str) -> str | None:
        """What was answered to this webhook before."""
        found = self._redis.get(_name(call_ref))
        if not isinstance(found, bytes):
            return None
        key = self._keys.unwrap(found[:_WRAPPED])
        session = json.loads(key.open(found[_WRAPPED:], _name(call_ref).encode()))
        document: str | None = session["replies"].get(token)
        return document

    def keep(self, call: Call, dialled: str, token: str, document: str) -> None:
        """Keep where the new call stands, unless another request was quicker."""
        session = {
            "context": call.context, "number": call.number, "dialled": dialled, "flow": "london-111",
            "offered_at": datetime.now(UTC).isoformat(), "node": "main_menu", "wait": "1.1", "facts": {},
            "replies": {token: document},
        }  # fmt: skip
        sealed = call.key.seal(json.dumps(session).encode(), _name(call.call_ref).encode())
        self._redis.set(_name(call.call_ref), call.key.wrapped + sealed, ex=KEEP_S, nx=True)


def _name(call_ref: str) -> str:
    return f"session:{call_ref}"
