"""Entries of the event stream as octets: for Redis, and for the file that keeps them while Redis is away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from infra.bus import Entry


def packed(entries: Sequence[Entry]) -> tuple[bytes, bytes]:
    """Entries as one value: their heads in JSON, and their sealed parts and keys, one after another."""
    heads, octets = [], bytearray()
    for each in entries:
        sealed, key = each.sealed or b"", each.wrapped_key or b""
        heads.append([each.call_ref, each.seq, each.at.isoformat(), each.kind, dict(each.facts), len(sealed), len(key)])
        octets += sealed + key
    return json.dumps(heads, separators=(",", ":")).encode(), bytes(octets)


def unpacked(heads: bytes, octets: bytes) -> list[Entry]:
    """The entries that were :func:`packed` so."""
    entries, at = [], 0
    for call_ref, seq, happened, kind, facts, sealed, key in json.loads(heads):
        middle, end = at + sealed, at + sealed + key
        own = (octets[at:middle] or None, octets[middle:end] or None)
        entries.append(Entry(call_ref, seq, datetime.fromisoformat(happened), kind, facts, *own))
        at = end
    return entries
