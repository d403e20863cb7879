"""Who may be promised a call back, asked anew at the moment of the promise: no author of a flow can forget it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from callrouter.call_backs.service import CallBackList
from callrouter.model import CallRecord
from callrouter.ports import CallBackFound, Plans, Repeats

_NO = CallBackFound("not_possible")
_RAISED = CallBackFound("not_possible", raises=True)
_KNOWN_PLANS = ("none", "candidates", "asserted", "confirmed")
_KNOWN_REPEATS = ("NRC",)
_ORDINARY = ("+441", "+442", "+443", "+447")
_PERSONAL = "+4470"


class Promising:
    """:class:`callrouter.ports.CallBacks`. ``shared``: numbers that many people call from."""

    def __init__(
        self, call_backs: CallBackList, plans: Plans, repeats: Repeats, shared: Collection[str], *, is_on: bool
    ) -> None:
        """``is_on``: somebody is told of late ones; else nothing is promised."""
        self._call_backs = call_backs
        self._plans = plans
        self._repeats = repeats
        self._shared = shared
        self._is_on = is_on

    async def possible(self, record: CallRecord) -> CallBackFound:
        """See :meth:`callrouter.ports.CallBacks.possible`.

        Raised are a repeat caller, one in distress, a crisis or end-of-life plan, and who is owed a call already. Where
        any of that cannot be told, nobody is asked: to wait on the line is safe, to be sent off it is not.
        """
        number = record.number.e164
        if not self._is_on or not _can_be_rung(number) or number in self._shared:
            return _NO
        assert number is not None
        plan, repeat, (may, is_owed) = await asyncio.gather(
            self._plans.find(record.number),
            self._repeats.find(record.number, record.offered_at, resumes=record.resumes),
            self._call_backs.may_promise(number),
        )
        if plan.raises or repeat.raises or is_owed:
            return _RAISED
        known = plan.outcome in _KNOWN_PLANS and repeat.outcome in _KNOWN_REPEATS
        return CallBackFound("possible") if may and known else _NO

    async def promise(self, record: CallRecord, service: str) -> CallBackFound:
        """See :meth:`callrouter.ports.CallBacks.promise`."""
        if not self._is_on or not _can_be_rung(record.number.e164):
            return _NO
        return CallBackFound("promised") if await self._call_backs.promise(record, service) else _NO


def _can_be_rung(number: str | None) -> bool:
    """A British line or mobile; withheld and diverted ones are None.

    Nobody is to ring abroad, or a number that earns its owner money (09, 070): whoever calls can show any number.
    """
    return number is not None and number.startswith(_ORDINARY) and not number.startswith(_PERSONAL)
