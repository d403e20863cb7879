"""The callers of the event stream, as hashes of their numbers, for who rings again."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import structlog

from alerts.figures.items import PROBE_FLOW
from alerts.figures.recontact import Caller, Recontacts
from callrouter import events as ev
from callrouter.journal import unseal
from infra.bus import Entry
from infra.crypto import KeyRing, SealError

DOMAIN = "kpi-recontact"

log = structlog.get_logger()


class Callers:
    """Opens the first entry of a call for its number. A line that many people call from tells nothing of one."""

    def __init__(self, recontacts: Recontacts, keys: KeyRing, shared: Collection[str]) -> None:
        self._recontacts = recontacts
        self._keys = keys
        self._shared = shared

    async def note(self, entries: Iterable[Entry]) -> None:
        """Note who rings, of those whose number is known. Again changes nothing."""
        found = [
            Caller(entry.call_ref, self._keys.index(DOMAIN, number), entry.at)
            for entry in entries
            if entry.wrapped_key is not None and (number := self._number(entry)) is not None
        ]
        await self._recontacts.note(found)

    def _number(self, entry: Entry) -> str | None:
        try:
            offered = unseal(entry, self._keys)
        except SealError:
            log.error("caller_unreadable", call_ref=entry.call_ref)  # one such call must not stop the figures
            return None
        if not isinstance(offered, ev.Offered) or offered.flow == PROBE_FLOW or offered.number in self._shared:
            return None
        return offered.number
