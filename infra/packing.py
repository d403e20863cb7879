"""An entry of the event stream as octets: for Redis, and for the file that keeps it while Redis is away."""

from __future__ import annotations

import json
from datetime import datetime

from infra.bus import Entry


def packed(entry: Entry) -> tuple[bytes, bytes, bytes]:
    """An entry as head, sealed part and wrapped key, empty for none."""
    head = [entry.call_ref, entry.seq, entry.at.isoformat(), entry.kind, dict(entry.facts)]
    return json.dumps(head, separators=(",", ":")).encode(), entry.sealed or b"", entry.wrapped_key or b""


def unpacked(head: bytes, sealed: bytes, wrapped_key: bytes) -> Entry:
    """The entry that was :func:`packed` so."""
    call_ref, seq, at, kind, facts = json.loads(head)
    return Entry(call_ref, seq, datetime.fromisoformat(at), kind, facts, sealed or None, wrapped_key or None)
