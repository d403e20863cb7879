"""Happenings: what a sprint tells the journal. Values without behaviour; none says what a caller gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Entered:
    """A node was entered."""

    node: str


@dataclass(frozen=True, slots=True)
class Chose:
    """A menu choice was made, by ``key`` or ``speech``."""

    node: str
    choice: str
    by: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Silence (``no_input``), something meaningless (``no_match``), or a call for ``help``; the ``count``-th."""

    node: str
    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Flagged:
    """A red flag was heard."""

    node: str
    category: str
    words: str = field(repr=False)
    lexicon: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A message was heard up to its marker."""

    node: str
    marker: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The session could not go on here; the caller goes to the default 111 service."""

    node: str
    error_id: str


@dataclass(frozen=True, slots=True)
class TextAsked:
    """The caller wants the text ``text`` (a key) sent to the mobile number that they confirmed by key."""

    node: str
    text: str


@dataclass(frozen=True, slots=True)
class CallBackAsked:
    """The caller wants to be called back by ``service``, at the number that they confirmed by key."""

    node: str
    service: str


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The caller answered a survey's ``question`` by a key."""

    node: str
    question: str
    answer: int


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What the caller hears from here on may show that a plan exists; ``level`` is how far it was checked."""

    node: str
    level: str


@dataclass(frozen=True, slots=True)
class Needs:
    """The caller needs an ``interpreter`` (of ``language``), or came by ``text_relay``: the person is told."""

    node: str
    what: str
    language: str = ""


Happening: TypeAlias = (
    Entered | Chose | Missed | Flagged | Marked | Failed | TextAsked | CallBackAsked | Surveyed | Disclosed | Needs
)
