"""A call's record on its way to the state store and back: sealed with the call's own key, opened again."""

from __future__ import annotations

from dataclasses import dataclass

from callrouter.model import CallRecord, read_record, written
from infra.crypto import DataKey, KeyRing
from infra.state import Stored

MOST_KNOWN = 5000
"""Records kept in the open: more calls than one worker carries. Those that others took over are pushed out in time."""


@dataclass(frozen=True, slots=True)
class _Known:
    value: bytes
    record: CallRecord
    key: DataKey


class Records:
    """Seals and opens records. One that this process sealed itself, and nobody has changed since, is not opened again:
    that was a tenth of our CPU for a call. It is known by its sealed octets, which no other record can have."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._known: dict[str, _Known] = {}

    def seal(self, record: CallRecord, key: DataKey) -> Stored:
        """The record as the store keeps it. It is forgotten here once the call is over."""
        value = key.seal(written(record), _context(record.call_ref))
        self._known.pop(record.call_ref, None)  # the newest stand last
        if record.ended is None:
            self._known[record.call_ref] = _Known(value, record, key)
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]
        return Stored(record.version, value, key.wrapped)

    def open(self, call_ref: str, stored: Stored) -> tuple[CallRecord, DataKey]:
        """The record and its key; raises :class:`infra.crypto.SealError` if they do not open with ours."""
        known = self._known.get(call_ref)
        if known is not None and known.value == stored.value:
            return known.record, known.key
        key = self._keys.unwrap(stored.wrapped_key)
        return read_record(key.open(stored.value, _context(call_ref))), key


def _context(call_ref: str) -> bytes:
    return f"state:{call_ref}".encode()
