"""Move: what an action tells the check about one way in which a call may go on from it.

The check plays the environment against a flow: callers, look-ups, services, silence. It knows no action by name;
all that it knows of a node are its moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeAlias

from ivr.model import Band, FactValue

BAND = "(band)"
"""The name under which ``when`` finds the caller's :class:`Band` among the facts. No author can use it."""


class Cause(StrEnum):
    """Who makes a move."""

    WORLD = "world"
    """Everybody but the caller: a look-up, a service, the end of a prompt, a branch."""
    SILENCE = "silence"
    """The caller, by doing nothing."""
    NO_MATCH = "no_match"
    """The caller, by something that we do not understand."""
    KEY = "key"
    """The caller, by a key that means something here: they opt into what comes."""
    WORDS = "words"
    """The caller, by words that mean something here: they opt into what comes."""


class Ending(StrEnum):
    """How a call may end at a node."""

    PERSON = "person"
    """A person of 111, a clinician or a mental-health line answers: somebody who may take every caller."""
    SERVICE = "service"
    """A service away from 111 answers (dental, pharmacy): only callers who chose it by key or words."""
    FALL_BACK = "fall_back"
    """The network rings the default 111 service without us."""
    HUNG_UP = "hung_up"
    """We end the call: only for a caller who chose so by key, asked twice."""


class Label(IntEnum):
    """How much a value says about whom; the join of two is the higher (shared rules on information flow)."""

    PUBLIC = 0
    """The number dialled, the hour, the state of a service."""
    CALLER = 1
    """What was said, pressed or sent in this call."""
    PLAN = 2
    """Plan, match level, restricted flag, earlier calls."""


@dataclass(frozen=True, slots=True)
class Any:
    """Written: some value of the fact; the check tries every one that is declared."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Written: the value of the fact ``of``."""

    of: str


Written: TypeAlias = FactValue | Any | Copy


@dataclass(frozen=True, slots=True)
class Door:
    """Why a node may let callers hear something that depends on a plan. Printed by the check, with ``reason``."""

    kind: str
    reason: str


RAISE_ONLY = Door("raise_only", "a caller in a raised band is offered nothing but a person")
"""The engine's own: whoever is raised (for whatever cause) is not offered a message or a service."""


def disclosing(reason: str) -> Door:
    """The door of a ``disclose`` node."""
    return Door("disclose", reason)


@dataclass(frozen=True, slots=True)
class Move:
    """One way on from a node. ``what`` says it as a report would: ``key 2``, ``silence``, ``plan says none``.

    - ``exit``: the exit by which the call leaves. None: it stays at this node (then with ``limit``), or ends.
    - ``ends``: how the call ends by this move.
    - ``heard``: prompts that the caller has heard since they came here or since the last move that stayed. What a
      message service will say later, the check cannot read: call it ``m-…`` and put its longest time in ``seconds``.
    - ``seconds``: the longest time that the move takes beside the prompts: time-outs, budgets, ringing.
      ``queued``: the longest of a queue's own wait, which no bound counts.
    - ``given``: the caller had given something at this node before, so they are not one who does nothing.
    - ``chooses``: by this key the caller chose between ways to go on. One that gives a date or a number, accepts it, or
      answers a survey says nothing about how the call should end.
    - ``limit``: the move is counted over the whole call, never reset, and happens at most so often. A move that
      stays must have one.
    - ``when``: whether the move can happen with these facts (:data:`BAND` among them); None: always. Where that
      depends on an opaque fact, it must say yes. ``reads`` names all that it looks at.
    - ``writes``: facts that the move sets; ``raises``: the band to which it lifts the caller.
    - ``label``: how secret what decides this move is, beside the facts in ``reads``.
    - ``door``: why what follows may audibly depend on a plan.
    """

    what: str
    exit: str | None = None
    cause: Cause = Cause.WORLD
    heard: tuple[str, ...] = ()
    seconds: float = 0.0
    queued: float = 0.0
    given: bool = False
    chooses: bool = False
    limit: int | None = None
    ends: Ending | None = None
    when: Callable[[Mapping[str, FactValue]], bool] | None = None
    reads: frozenset[str] = frozenset()
    writes: Mapping[str, Written] = field(default_factory=dict)
    raises: Band | None = None
    label: Label = Label.PUBLIC
    door: Door | None = None


def is_raised(facts: Mapping[str, FactValue]) -> bool:
    """For ``when``: the caller is in a raised band."""
    return facts[BAND] != Band.NORMAL


def is_normal(facts: Mapping[str, FactValue]) -> bool:
    """For ``when``: the caller is in the normal band."""
    return facts[BAND] == Band.NORMAL
