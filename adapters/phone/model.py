"""What a telephone call is made of for the one who calls: moments, acts, and what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, TypeAlias

WORDS_A_SECOND = 2.7
"""A calm announcer; 160 words a minute."""


class MomentKind(StrEnum):
    """What a caller can be in the middle of."""

    PROMPT = "prompt"
    QUESTION = "question"
    PAUSE = "pause"
    RINGING = "ringing"
    TALK = "talk"


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of a call. It is over after ``seconds`` (of the caller's time) if the caller does nothing.

    A ``QUESTION`` takes ``digits`` keys and, where ``speech``, words, from its first word on (barge-in); a ``PAUSE``
    takes keys if it has ``digits`` (a hold that may be left). In every other moment a caller can only hang up.
    ``target`` is who rings or talks.
    """

    kind: MomentKind
    seconds: float
    text: str = ""
    digits: int = 0
    speech: bool = False
    target: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """Keys."""

    keys: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Words, as the network's recogniser would hear them."""

    words: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """The caller puts the phone down."""


Act: TypeAlias = Press | Speak | HangUp


class Caller(Protocol):
    """Somebody who calls."""

    async def during(self, moment: Moment) -> Act | None:
        """What the caller does in this moment, when they do it; None: nothing until it is over.

        Cancelled when the moment is over first.
        """


@dataclass(frozen=True, slots=True)
class FarEnd:
    """How a dialled number takes one call: it rings, then answers, is busy, never answers, or fails."""

    outcome: Literal["answered", "busy", "no-answer", "failed"] = "answered"
    ring_s: float = 2.0
    talk_s: float = 30.0


class Far(Protocol):
    """Everybody who can be dialled."""

    def take(self, target: str) -> FarEnd:
        """How ``target`` (a number or SIP address) takes the next call."""


@dataclass(frozen=True, slots=True)
class SteadyFar:
    """Everybody takes every call in the same way."""

    end: FarEnd = FarEnd()

    def take(self, target: str) -> FarEnd:
        del target
        return self.end


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a caller's time runs: ``speed`` of their seconds in one of ours."""

    speed: float = 1.0

    def real(self, seconds: float) -> float:
        """Our seconds for so many of the caller's."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        """Let so many of the caller's seconds pass."""
        await asyncio.sleep(self.real(seconds))


@dataclass(slots=True)
class Experience:
    """What a call was like, from the caller's own side.

    ``ended_by``: caller, far (the person hung up first) or system. ``how``: hung_up, hangup (we were hung up
    on), document_ended, or error (no document could be had at all). ``fell_back``: a document that is not ours
    to continue was performed: Twilio's fallback, or our static one. ``why``: what the service answered instead of a
    document, or that it did not (``HTTP 403``, ``ConnectError``); empty where it gave the static one itself.
    """

    heard: list[str] = field(default_factory=list)
    talked_to: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    talk_s: float = 0.0
    ended_by: str = ""
    how: str = ""
    fell_back: bool = False
    why: str = ""
    http_errors: int = 0


def speaking_s(text: str) -> float:
    """How long it takes to say ``text``, seconds."""
    return len(text.split()) / WORDS_A_SECOND
