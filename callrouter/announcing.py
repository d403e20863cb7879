"""The look-up of front-end messages: what an announce node asks about, and the answer, from memory."""

from __future__ import annotations

from datetime import datetime

from callrouter import events as ev
from callrouter.model import CallRecord
from callrouter.ports import FrontEndMessage, Messages
from infra.numbers import Number
from ivr.model import Answered, LookupWait, Message


class NoMessages:
    """:class:`callrouter.ports.Messages` where there are none."""

    def valid(
        self,
        *,
        dialled: str,
        number: Number,
        area: str,
        language: str,
        at: datetime,
        service: str = "",
        needs_sound: bool = False,
    ) -> tuple[FrontEndMessage, ...]:
        """None."""
        del dialled, number, area, language, at, service, needs_sound
        return ()


def announced(messages: Messages, record: CallRecord, wait: LookupWait, at: datetime) -> tuple[Answered, ev.LookedUp]:
    """The messages that this caller hears now, and the journal's line of it, which says how many."""
    found = messages.valid(
        dialled=record.dialled,
        number=record.number,
        area=wait.area,
        language=wait.language or "en",
        at=at,
        service=wait.about,
        needs_sound=bool(record.edge),
    )
    heard = tuple(Message(each.marker, each.prompts) for each in found)
    outcome = str(len(heard))
    return Answered(outcome, messages=heard), ev.LookedUp(
        what=wait.what, gap="", took_ms=0.0, outcome=outcome, reason="messages"
    )
