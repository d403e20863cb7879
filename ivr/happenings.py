"""Happenings: what a sprint tells the journal. Values without behaviour; none says what a caller gave."""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from ivr.values import value


@value
class Entered:
    """A node was entered."""

    node: str


@value
class Chose:
    """A menu choice was made, by ``key`` or ``speech``."""

    node: str
    choice: str
    by: str


@value
class Missed:
    """Silence (``no_input``), something meaningless (``no_match``), or a call for ``help``; the ``count``-th."""

    node: str
    what: str
    count: int


@value
class Flagged:
    """A red flag was heard."""

    node: str
    category: str
    words: str = field(repr=False)
    lexicon: str


@value
class Marked:
    """A message was heard up to its marker."""

    node: str
    marker: str


@value
class Failed:
    """The session could not go on here; the caller goes to the default 111 service."""

    node: str
    error_id: str


@value
class TextAsked:
    """The caller wants the text ``text`` (a key) sent to the mobile number that they confirmed by key."""

    node: str
    text: str


@value
class CallBackPromised:
    """The caller was promised a call by ``service`` to the number that they confirmed by key; the promise is kept."""

    node: str
    service: str


@value
class Surveyed:
    """The caller answered a survey's ``question`` by a key."""

    node: str
    question: str
    answer: int


@value
class Disclosed:
    """What the caller hears from here on may show that a plan exists; ``level`` is how far it was checked."""

    node: str
    level: str


@value
class Needs:
    """The caller needs an ``interpreter`` (of ``language``), or came by ``text_relay``: the person is told."""

    node: str
    what: str
    language: str = ""


Happening: TypeAlias = (
    Entered | Chose | Missed | Flagged | Marked | Failed | TextAsked | CallBackPromised | Surveyed | Disclosed | Needs
)
