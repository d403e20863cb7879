"""Happenings: what a sprint tells the journal. Values without behaviour; none says what a caller gave."""

from __future__ import annotations

from typing import TypeAlias

from ivr.values import Value


class Entered(Value):
    """A node was entered."""

    node: str


class Chose(Value):
    """A menu choice was made, by ``key`` or ``speech``."""

    node: str
    choice: str
    by: str


class Missed(Value):
    """Silence (``no_input``), something meaningless (``no_match``), or a call for ``help``; the ``count``-th."""

    node: str
    what: str
    count: int


class Flagged(Value):
    """A red flag was heard."""

    UNSAID = frozenset({"words"})

    node: str
    category: str
    words: str
    lexicon: str


class Marked(Value):
    """A message was heard up to its marker."""

    node: str
    marker: str


class Failed(Value):
    """The session could not go on here; the caller goes to the default 111 service."""

    node: str
    error_id: str


class TextAsked(Value):
    """The caller wants the text ``text`` (a key) sent to the mobile number that they confirmed by key."""

    node: str
    text: str


class CallBackPromised(Value):
    """The caller was promised a call by ``service`` to the number that they confirmed by key; the promise is kept."""

    node: str
    service: str


class Surveyed(Value):
    """The caller answered a survey's ``question`` by a key."""

    node: str
    question: str
    answer: int


class Disclosed(Value):
    """What the caller hears from here on may show that a plan exists; ``level`` is how far it was checked."""

    node: str
    level: str


class Needs(Value):
    """The caller needs an ``interpreter`` (of ``language``), or came by ``text_relay``: the person is told."""

    node: str
    what: str
    language: str = ""


Happening: TypeAlias = (
    Entered | Chose | Missed | Flagged | Marked | Failed | TextAsked | CallBackPromised | Surveyed | Disclosed | Needs
)
