"""A small world for messages: people with their sessions, a clock moved by hand, a voice, reviewers."""

from __future__ import annotations

import io
import itertools
import wave
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callrouter.approvals import Refused
from callrouter.handover import Role, SignedIn
from callrouter.messages.content import Known
from callrouter.messages.live import LiveMessages
from callrouter.messages.model import Content, Message, Offer, OfferKind, Places, Wording
from callrouter.messages.ports import ReviewNotice
from callrouter.messages.service import MessageService
from infra.areas import london
from infra.numbers import Number, NumberClass
from infra.sql import Database
from tests.hand_clock import HandClock

TUESDAY = datetime(2026, 3, 24, 10, tzinfo=UTC)  # in office hours
NIGHT = datetime(2026, 3, 24, 23, tzinfo=UTC)
KNOWN = Known({"en", "pl"}, {"111", "dental", "pharmacy"}, london())

ANN = SignedIn("Ann", Role.COMMISSIONER, "s-ann")
BEN = SignedIn("Ben", Role.PUBLIC_HEALTH, "s-ben")
CAZ = SignedIn("Caz", Role.CLINICAL_SAFETY, "s-caz")
DEV = SignedIn("Dev", Role.COMMISSIONER, "s-dev")
HAL = SignedIn("Hal", Role.HANDLER, "s-hal")
ADA = SignedIn("Ada", Role.ADMINISTRATOR, "s-ada")

LANDLINE = Number(NumberClass.PRESENT, "+442079460123")
BROMLEY_LINE = Number(NumberClass.PRESENT, "+441689900123")
MOBILE = Number(NumberClass.PRESENT, "+447700900123")


def content(**changes: Any) -> Content:
    """A plain message for all of London, from now on for a day."""
    usual: dict[str, Any] = {
        "title": "Norovirus in Croydon",
        "marker": "norovirus",
        "wordings": {"en": Wording("There is a stomach bug about. Drink plenty, and stay at home if you can.")},
        "places": Places(areas=("london",)),
        "starts_at": TUESDAY,
        "expires_at": TUESDAY + timedelta(days=1),
    }
    return Content(**{**usual, **changes})


def offer(**changes: Any) -> Content:
    """A message that sends callers to pharmacists."""
    wording = Wording(
        "For a cold, a pharmacist can help you today.",
        who_should_stay="If you are short of breath, stay on the line.",
        safety_net="If you get worse, call 111 again.",
    )
    usual = {"marker": "pharmacy", "wordings": {"en": wording}, "offer": Offer(OfferKind.PHARMACY, "Dr Example")}
    return content(**{**usual, **changes})


def template(**changes: Any) -> Content:
    """What may be started at night, in two boards, for eight hours."""
    places = Places(areas=("south_east", "croydon"))
    usual = {
        "title": "Norovirus",
        "places": places,
        "starts_at": None,
        "expires_at": None,
        "longest_life": timedelta(hours=8),
    }
    return content(**{**usual, **changes})


def speaks_english(language: str) -> bool:
    """What :class:`Beeper` can speak."""
    return language == "en"


class Beeper:
    """Speaks English as silence of four words a second; other languages not at all, until they are added."""

    def __init__(self) -> None:
        self.languages = {"en"}
        self.spoken: list[str] = []

    def __call__(self, text: str, language: str) -> bytes | None:
        if language not in self.languages:
            return None
        self.spoken.append(text)
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(b"\0\0" * (4000 * len(text.split())))
        return buffer.getvalue()


@dataclass
class Listeners:
    """Second reviewers who remember what they were told."""

    anybody: bool = True
    heard: list[ReviewNotice] = field(default_factory=list)

    async def tell(self, notice: ReviewNotice) -> None:
        self.heard.append(notice)


@dataclass
class World:
    """The service, and the copy that a worker keeps."""

    database: Database
    clock: HandClock
    voice: Beeper
    reviewers: Listeners
    service: MessageService
    live: LiveMessages

    async def approved(self, written: Content | None = None) -> Message:
        """A message that Ann wrote and Caz approved."""
        drafted = await self.service.draft(written or content(), ANN)
        return await self.service.approve(drafted.id, drafted.digest, CAZ)

    async def released(self, written: Content | None = None) -> Message:
        """One that is live, or scheduled."""
        return await self.service.release((await self.approved(written)).id, ANN)

    async def approved_template(self, written: Content | None = None) -> Message:
        """A template that Ann wrote, approved by Ben and Caz."""
        drafted = await self.service.draft(written or template(), ANN)
        await self.service.approve(drafted.id, drafted.digest, BEN)
        return await self.service.approve(drafted.id, drafted.digest, CAZ)

    async def markers(self, **caller: Any) -> list[str]:
        """What a caller hears who rings now, after every worker has looked."""
        await self.live.follower.look()
        usual: dict[str, Any] = {"dialled": "111", "number": LANDLINE, "area": "", "language": "en"}
        heard = self.live.valid(at=self.clock.now(), **{**usual, **caller})
        return [each.marker for each in heard]


def world_on(database: Database, folder: Path, *, clock: HandClock | None = None, **options: Any) -> World:
    """A world on a database that has its tables, or will have them."""
    clock, voice, reviewers = clock or HandClock(TUESDAY), Beeper(), Listeners()
    ids = (f"m{number}" for number in itertools.count(1))
    service = MessageService(
        database,
        clock,
        known=KNOWN,
        voice=voice,
        reviewers=reviewers,
        new_id=lambda: next(ids),
        approval_life=timedelta(days=14),
        **options,
    )
    return World(database, clock, voice, reviewers, service, LiveMessages(database, clock, london(), folder / "sound"))


async def refused(doing: Awaitable[object]) -> str:
    """The stable id of the refusal."""
    with pytest.raises(Refused) as found:
        await doing
    return found.value.error_id
