"""The look-up of front-end messages: what an announce node asks about, and the answer, from memory."""

from __future__ import annotations

from datetime import datetime

from callrouter import events as ev
from callrouter.model import CallRecord
from callrouter.ports import FrontEndMessage, Messages
from infra.areas import district_of, london
from infra.numbers import Number
from ivr.model import Answered, LookupWait, Message

NOWHERE = ("elsewhere", "unknown")
"""What the area look-up says where it finds none of ours."""


class NoMessages:
    """:class:`callrouter.ports.Messages` where there are none."""

    def valid(
        self, *, dialled: str, number: Number, area: str, language: str, at: datetime, service: str = ""
    ) -> tuple[FrontEndMessage, ...]:
        """None."""
        del dialled, number, area, language, at, service
        return ()


def announced(messages: Messages, record: CallRecord, wait: LookupWait, at: datetime) -> tuple[Answered, ev.LookedUp]:
    """The messages that this caller hears now, and the journal's line of it, which says how many."""
    service, area = asked_about(wait.about)
    found = messages.valid(
        dialled=record.dialled,
        number=record.number,
        area=area,
        language=wait.language or "en",
        at=at,
        service=service,
    )
    heard = tuple(Message(each.marker, each.prompts) for each in found)
    outcome = str(len(heard))
    return Answered(outcome, messages=heard), ev.LookedUp(
        what=wait.what, gap="", took_ms=0.0, outcome=outcome, reason="messages"
    )


def asked_about(about: str) -> tuple[str, str]:
    """Service and area of what a wait is about: ``dental SE1 7EH``, ``dental``, ``SE1 7EH``, ``south_east``."""
    if district_of(about) or about in london() or about in NOWHERE:
        return "", about
    service, _, area = about.partition(" ")
    return service, area
