"""Which notice a carrier speaks of, when it tells later what became of one: by a reference that says nothing itself."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from alerts.life.store import AlertStore
from alerts.model import Notice
from infra.clock import Clock
from infra.crypto import KeyRing

TOLD_WITHIN = timedelta(hours=73)
"""GOV.UK Notify tries a text for 72 hours before it says that it failed; nobody else takes as long."""

REMEMBERED = 1000
"""Notices that this process gave out, kept in memory for the time in which the database is away."""

KEPT_WITHIN_S = 2.0
"""A database that takes longer holds no notice up."""

_DOMAIN, _LENGTH = "alert-notice", 32


class SentNotices:
    """References of notices: the same at every try and in every process."""

    def __init__(self, store: AlertStore, keys: KeyRing, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._ours: OrderedDict[str, Notice] = OrderedDict()

    async def reference(self, notice: Notice) -> str:
        """32 hex digits, keyed: neither the notice nor the number can be found from it without our keys.

        Kept with the notice, so that any process finds it; while the database is away only this one does.
        """
        reference = self._keys.index(_DOMAIN, _identity(notice))[:_LENGTH]
        self._ours[reference] = notice
        if len(self._ours) > REMEMBERED:
            self._ours.popitem(last=False)
        with suppress(SQLAlchemyError, OSError):  # a timeout is an OSError
            async with asyncio.timeout(KEPT_WITHIN_S):
                await self._store.refer(notice, reference)
        return reference

    def person(self, notice: Notice) -> str:
        """16 hex digits for the address of its recipient, keyed: the same in every process and for every notice."""
        return self._keys.index("alert-person", notice.recipient.address)[:16]

    async def find(self, reference: str) -> Notice | None:
        """The notice, whichever process sent it; None if it is none of the last days. Raises SQLAlchemyError."""
        if (ours := self._ours.get(reference)) is not None:
            return ours
        return await self._store.by_reference(reference, self._clock.now() - TOLD_WITHIN)


def _identity(notice: Notice) -> str:
    return f"{notice.id}\0{notice.recipient.channel}\0{notice.recipient.address}"
