"""The values of this package: what a message says, where and when, and how far it is in its life. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

from callrouter.approvals import Approval, ApprovalMissing, Author, Refused, is_anothers, require_enough
from callrouter.handover import shown_as

REVIEW_WITHIN = timedelta(hours=2)
"""A message that one person started at night stops itself unless a second has reviewed it (docs/safety/rules.md, 5)."""

LONGEST_NIGHT = timedelta(hours=12)
"""Longest life of a message that one person started at night (docs/safety/rules.md, 5)."""


APPROVERS_OF_TEMPLATE = 2

STRICT = ConfigDict(extra="forbid")
"""A field that nobody knows is refused, so that a slip of the pen never goes live."""


class OfferKind(StrEnum):
    """Where else a message may send callers."""

    PHARMACY = "pharmacy"
    DENTAL = "dental"
    MENTAL_HEALTH = "mental_health"
    OTHER_SERVICE = "other_service"
    SELF_CARE = "self_care"


class State(StrEnum):
    """What people have done with a message; :func:`Message.phase` adds what time does."""

    DRAFT = "draft"
    RELEASED = "released"
    STOPPED = "stopped"


class Phase(StrEnum):
    """Where a message is in its life, as people see it."""

    DRAFT = "draft"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    LIVE = "live"
    EXPIRED = "expired"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said in one language. The first and the last are for messages with an offer, and then required."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    text: str
    who_should_stay: str = ""
    safety_net: str = ""

    def parts(self) -> tuple[str, ...]:
        """What is spoken, in this order: who should stay, the message, the safety net."""
        return tuple(each for each in (self.who_should_stay, self.text, self.safety_net) if each)


@dataclass(frozen=True, slots=True)
class Offer:
    """A message that may send callers elsewhere, and the clinician who answers for it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    kind: OfferKind
    clinical_owner: str


@dataclass(frozen=True, slots=True)
class Places:
    """Who is meant: everybody, or those whom any one of these finds.

    ``areas``: ids of ``infra/areas.yaml``; ``cli_prefixes``: beginnings of calling numbers, E.164; ``dialled``: numbers
    that callers dialled.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    everywhere: bool = False
    areas: tuple[str, ...] = ()
    cli_prefixes: tuple[str, ...] = ()
    dialled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything about a message that a caller can meet, and its ``title`` for staff.

    ``wordings`` by language. ``services``: those that the message is about; empty: before anybody chose one. A template
    has no start and no expiry: it has ``longest_life``, and its places are those that may be chosen from.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: str
    marker: str
    wordings: Mapping[str, Wording]
    places: Places
    services: tuple[str, ...] = ()
    offer: Offer | None = None
    priority: int = 3
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    longest_life: timedelta | None = None

    @property
    def is_template(self) -> bool:
        """Whether it is kept for the night instead of being put live itself."""
        return self.longest_life is not None

    def spoken(self) -> Iterator[tuple[str, str, str]]:
        """Each prompt: its key, its language, its text."""
        for language, wording in self.wordings.items():
            for text in wording.parts():
                yield prompt_key(language, text), language, text


def prompt_key(language: str, text: str) -> str:
    """The key of what is said: other words, another key, so that no cache can speak old ones."""
    return f"m-{language}-{hashlib.sha256(f'{language}:{text}'.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Review:
    """A second pair of eyes, due until ``until``; given by ``by`` at ``at``."""

    until: datetime
    by: str = ""
    at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has given it yet."""
        return self.at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message in its life. ``digest`` is of everything that a caller can meet, audio too.

    ``authors``: all who wrote a part of it. ``ends_early_at``: shortened by somebody. ``template`` and ``review``: for
    one that was started from a template at night.
    """

    id: str
    content: Content
    digest: str
    state: State
    authors: tuple[Author, ...]
    approvals: tuple[Approval, ...] = ()
    ends_early_at: datetime | None = None
    template: str = ""
    review: Review | None = None

    def ends_at(self) -> datetime | None:
        """When callers stop hearing it, whoever sleeps: the first of expiry, shortening and an open review's end."""
        ends = [self.content.expires_at, self.ends_early_at]
        if self.review is not None and self.review.is_open:
            ends.append(self.review.until)
        return min((each for each in ends if each is not None), default=None)

    def is_live(self, at: datetime) -> bool:
        """Whether callers may hear it at that time; its end is excluded."""
        return self.phase(at) is Phase.LIVE

    def phase(self, at: datetime) -> Phase:
        """Where it is in its life at that time."""
        start, end = self.content.starts_at, self.ends_at()
        match self.state:
            case State.DRAFT:
                return Phase.DRAFT if self.needs(at) else Phase.APPROVED
            case State.STOPPED:
                return Phase.STOPPED
            case State.RELEASED if start is None or end is None or at >= end:
                return Phase.EXPIRED  # without start or end it never leaves the service; here it would never be heard
            case _:
                return Phase.SCHEDULED if at < start else Phase.LIVE

    def standing_approvals(self, at: datetime) -> tuple[Approval, ...]:
        """Those of exactly this content that still hold; who approved twice is one person."""
        valid = [each for each in self._approvals_of_others() if each.content == self.digest and at < each.expires_at]
        return tuple({" ".join(each.by.casefold().split()): each for each in valid}.values())

    def require_approved(self, at: datetime) -> None:
        """Raise unless enough people have approved exactly this, and that still holds ``at`` that time."""
        require_enough(
            self._approvals_of_others(), author=self.authors[0], content=self.digest, at=at, clinical_safety=True
        )
        if self.content.is_template and len(self.standing_approvals(at)) < APPROVERS_OF_TEMPLATE:
            raise ApprovalMissing("a template needs the approval of two people who did not write it")

    def _approvals_of_others(self) -> list[Approval]:
        """Of people who wrote no part of it, not since either."""
        return [each for each in self.approvals if all(is_anothers(each, author) for author in self.authors)]

    def needs(self, at: datetime) -> str:
        """What it still needs from people before it may be heard ``at`` that time; empty if nothing."""
        try:
            self.require_approved(at)
        except Refused as refused:
            return str(refused)
        return ""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the record: who did what with which message, and when."""

    at: datetime
    message: str
    step: str
    by: str
    role: str
    note: str = ""
    name: str = field(default="", compare=False)

    @property
    def who(self) -> str:
        """Who it was, as people read it."""
        return shown_as(self.by, self.name)


@dataclass(frozen=True, slots=True)
class Audio:
    """A prompt made ahead of time: WAV, 16 bit mono, its SHA-256 in hex, and how long it lasts."""

    key: str
    wav: bytes
    sha256: str
    seconds: float
