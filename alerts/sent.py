"""Which notice a carrier speaks of, when it tells later what became of one: by a reference that says nothing itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta

from alerts.model import Channel, Notice
from alerts.store import AlertStore
from infra.clock import Clock
from infra.crypto import KeyRing

TOLD_WITHIN = timedelta(hours=73)
"""GOV.UK Notify tries a text for 72 hours before it says that it failed; nobody else takes as long."""

REMEMBERED = 1000
"""Notices that this process gave out, kept in memory for the time in which the database is away."""

_DOMAIN, _LENGTH = "alert-notice", 32


class SentNotices:
    """References of the notices that go by ``channels``: the same at every try and in every process."""

    def __init__(self, store: AlertStore, keys: KeyRing, clock: Clock, channels: Sequence[Channel]) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._channels = tuple(channels)
        self._ours: OrderedDict[str, Notice] = OrderedDict()

    def reference(self, notice: Notice) -> str:
        """32 hex digits, keyed: neither the notice nor the number can be found from it without our keys."""
        reference = self._keys.index(_DOMAIN, _identity(notice))[:_LENGTH]
        self._ours[reference] = notice
        if len(self._ours) > REMEMBERED:
            self._ours.popitem(last=False)
        return reference

    def person(self, notice: Notice) -> str:
        """16 hex digits for the address of its recipient, keyed: the same in every process and for every notice."""
        return self._keys.index("alert-person", notice.recipient.address)[:16]

    async def find(self, reference: str) -> Notice | None:
        """The notice, whichever process sent it; None if it is none of the last days. Raises SQLAlchemyError."""
        if (ours := self._ours.get(reference)) is not None:
            return ours
        for notice in await self._store.recent(self._channels, self._clock.now() - TOLD_WITHIN):
            if any(key[:_LENGTH] == reference for key in self._keys.index_all(_DOMAIN, _identity(notice))):
                return notice
        return None


def _identity(notice: Notice) -> str:
    return f"{notice.id}\0{notice.recipient.channel}\0{notice.recipient.address}"
