"""What the journal tells of a call-back: promised, opened by who rings, tried, ended (:mod:`callrouter.events`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackPromised:
    """The caller was promised a call by ``service``, to the number that they confirmed by key; it is in store."""

    kind: ClassVar[str] = "call_back_promised"
    node: str
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackOpened:
    """A signed-in person took the call-back on, or looked at it again: they were shown the number."""

    kind: ClassVar[str] = "call_back_opened"
    role: str
    user: str | None = field(default=None, repr=False, metadata={"personal": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackTried:
    """Somebody rang the caller: ``outcome`` is answered, no_answer, busy or failed."""

    kind: ClassVar[str] = "call_back_tried"
    outcome: str
    role: str
    user: str | None = field(default=None, repr=False, metadata={"personal": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackEnded:
    """Nobody owes the caller a call any more: ``outcome`` is reached, gave_up, rang_again or withdrawn.

    Given up: a clinician has the caller as a welfare task. Withdrawn: a person answered them before they hung up.
    """

    kind: ClassVar[str] = "call_back_ended"
    outcome: str
