"""What this package needs of the world: a voice, and somebody who carries word to a second reviewer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


class Voice(Protocol):
    """Speaks prompts ahead of time; never while a caller waits."""

    def __call__(self, text: str, language: str) -> bytes | None:
        """A WAV file, 16 kHz, 16 bit, mono; None where there is no voice for the language.

        Takes its time: call it on a thread of its own.
        """


@dataclass(frozen=True, slots=True)
class ReviewNotice:
    """What a second reviewer is told of a message that one person started at night; nothing personal.

    ``kind``: it ``needs_review`` until ``until``, or nobody came and it ``stopped_itself`` then.
    """

    kind: Literal["needs_review", "stopped_itself"]
    message: str
    title: str
    areas: str
    at: datetime
    until: datetime


class Reviewers(Protocol):
    """The second reviewers, told by the alerts' own channels."""

    @property
    def anybody(self) -> bool:
        """Whether anybody is named at all."""

    async def tell(self, notice: ReviewNotice) -> None:
        """Queue the notice for each reviewer, once, however often it is told. Raises SQLAlchemyError."""
