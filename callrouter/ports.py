"""What the life of a call needs of the world. Each look-up has a time budget that the door enforces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from callrouter.model import CallRecord, Input, Reply
from infra.numbers import Number
from ivr.flow import Flow
from ivr.model import Band

KEYS_DO_NOT_FIT = "keys_do_not_fit"
"""The reason of a look-up of plans that is ``unavailable`` because they are stored under other keys than ours."""


@dataclass(frozen=True, slots=True)
class PlanFound:
    """What a look-up of plans brought: opaque ids of ``candidates``, and of how many different ``people``.

    ``raises``: one of them is a crisis or end-of-life plan. Only of an asserted plan: its ``pathway`` (one of
    :data:`ivr.actions.lookup.PATHWAYS`), and whether its review is overdue (``stale``).
    """

    outcome: str
    reason: str
    raises: bool = False
    candidates: tuple[str, ...] = ()
    people: int = 0
    pathway: str = "none"
    stale: bool = False


class Plans(Protocol):
    """Care and crisis plans by number."""

    async def find(self, number: Number) -> PlanFound:
        """Candidates on this line; ``unavailable`` when the store fails, never ``none``."""

    async def check_birth_date(self, number: Number, born: date, call_ref: str, *, keyed: bool) -> PlanFound:
        """``asserted`` if exactly one person with a plan on this line was born then; else what :meth:`find` says.

        On a line that several people share only a ``keyed`` date, accepted by key, asserts anybody.
        Every try is recorded; beyond five wrong ones a day for a number, a right one says no more than a wrong one.
        """


@dataclass(frozen=True, slots=True)
class RepeatFound:
    """``outcome``: RC, PRC, NRC, IIQ or ER; ``earlier``: starts of the encounters that made it so.

    ``encounters``: their opaque ids, for RC only. ``distress``: three calls of this number within ten minutes were
    ended by the caller before a person answered.
    """

    outcome: str
    reason: str
    earlier: tuple[datetime, ...] = ()
    encounters: tuple[str, ...] = ()
    distress: bool = False

    @property
    def raises(self) -> bool:
        """Whether the caller goes to a person in a raised band: RC and PRC alike (docs/safety/rules.md, 2 and 4)."""
        return self.distress or self.outcome in ("RC", "PRC")


class Repeats(Protocol):
    """Earlier encounters."""

    async def find(self, number: Number, started: datetime, *, resumes: str | None = None) -> RepeatFound:
        """Whether a call that started then, from this number, is a potential repeat.

        ``resumes``: the first call of the same contact, which is no earlier one.
        """


@dataclass(frozen=True, slots=True)
class Meaning:
    """What words mean: a ``choice`` of the menu, a ``red_flag`` category, or neither.

    ``reasons``: what was said of why they call, as keys of the version ``reason_words``; they are counted, no more.
    """

    choice: str | None
    red_flag: str | None = None
    words: str = field(default="", repr=False)
    lexicon: str = ""
    reasons: tuple[str, ...] = ()
    reason_words: str = ""


class Understanding(Protocol):
    """What a caller meant."""

    async def understand(self, said: str, vocabulary: Mapping[str, Sequence[str]]) -> Meaning:
        """The choice that ``said`` names, if exactly one; a red flag wins over every choice."""


@dataclass(frozen=True, slots=True)
class CallBackFound:
    """What the door says of a call-back: ``possible``, ``promised``, or ``not_possible``.

    ``raises``: this caller is to go to a person in a raised band, and is asked nothing.
    """

    outcome: str
    raises: bool = False


class CallBacks(Protocol):
    """Promises to call back."""

    async def possible(self, record: CallRecord) -> CallBackFound:
        """Whether this caller may be asked. Promises nothing."""

    async def promise(self, record: CallRecord, service: str) -> CallBackFound:
        """Promise it: ``promised`` only once it is in store. Asked again for the same call it is one promise."""


MOST_MESSAGES = 2
"""A caller hears at most so many front-end messages before the menu: each costs them seconds before a person."""

MOST_MESSAGES_S = 20.0
"""And for at most so many seconds in all: with the first words and a menu that stays below the 45 s within which a
caller who does nothing is offered to a person."""


@dataclass(frozen=True, slots=True)
class FrontEndMessage:
    """A message as a caller hears it: prompt keys in the order of speaking, and the marker that ends it.

    ``seconds``: how long it lasts. The keys name one language each; texts and audio are found by them.
    """

    marker: str
    prompts: tuple[str, ...]
    seconds: float


class Messages(Protocol):
    """The front-end messages that are live. Answered from memory: it never waits and never fails."""

    def valid(
        self,
        *,
        dialled: str,
        number: Number,
        area: str,
        language: str,
        at: datetime,
        service: str = "",
        needs_sound: bool = False,
    ) -> tuple[FrontEndMessage, ...]:
        """What a caller of ordinary priority hears here and now, most urgent first.

        At most :data:`MOST_MESSAGES`, of at most :data:`MOST_MESSAGES_S` together.

        ``area``: an area's id (``infra/areas.yaml``) or a postcode; empty if it is not known. ``service``: the one
        that the caller has chosen, empty before they chose. ``needs_sound``: the network reads nothing out, so that
        a message whose sound is not on this machine is left out: nobody would hear it, and it would count as heard.
        Callers who are only ever raised never hear a message: the flow's ``announce`` node passes them by
        (docs/safety/rules.md, 2).
        """


class Flows(Protocol):
    """The flows that callers may meet."""

    def for_dialled(self, dialled: str, call_ref: str) -> Flow:
        """The flow of a new call to this number. Which of two in a staged release, its reference says for ever."""

    def version(self, name: str, version: str) -> Flow | None:
        """The flow that a call in progress began with, if it is still known and was not recalled."""

    def is_recalled(self, version: str) -> bool:
        """Whether callers must not be in this version any more."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A line of this provider is reserved for the caller, for this one of its services."""

    provider: str
    service: str


class Waiting:
    """All who could take the caller are busy: an offer comes later."""


class Nobody:
    """No provider of these services can be reached at all."""


Sought = Offer | Waiting | Nobody


class Dispatch(Protocol):
    """Who takes which caller next. Every method may be called again for the same fact."""

    async def seek(
        self, call_ref: str, services: Sequence[str], band: Band, arrived: datetime, *, hold: bool
    ) -> Sought:
        """Reserve a line now; or, with ``hold``, keep a place. Callers go by band, then by arrival.

        Place and line are the caller's until :meth:`leave`, for as long as the process that sought them lives,
        or the one that said :meth:`keep` last. Ask again on a take-over: the answer is the same.
        """

    async def keep(self, call_ref: str) -> None:
        """This process looks after the caller from now on: their place or line lives as long as it does.

        Said by whoever takes over a call that is being dialled or talks, and at each round of hold of a network
        that asks by itself.
        """

    async def in_use(self, call_refs: Collection[str]) -> None:
        """The network shows these callers being rung for or in a talk: a line of theirs lives on, whoever kept it.

        It takes over nobody and brings nobody back; who is unknown here is passed over.
        """

    async def leg_failed(self, call_ref: str, provider: str, cause: str) -> None:
        """This provider, reserved for the caller, failed: its line is free again and it is left alone for a while.

        Longer each time while it keeps failing, for all callers.
        """

    async def leg_answered(self, call_ref: str, provider: str) -> None:
        """This provider, reserved for the caller, took the call: it does not count as failing any more."""

    async def leave(self, call_ref: str) -> None:
        """The caller no longer needs anybody: gives back a place, or a line."""

    async def reachable(self, provider: str, edge: str, up: bool | None) -> None:
        """What one edge (an Asterisk) knows of a provider's trunk; None takes back what it said (it lost sight).

        A provider is not offered while every edge that has spoken says that it is down. A statement holds for
        :data:`STATEMENT_S` unless it is said again, so that a dead edge's opinion does not last.
        """


STATEMENT_S = 10.0
"""How long an edge's word on a provider's trunk holds. Repeat it every 3 or 4 s."""


class Performer(Protocol):
    """An adapter that holds lines, and performs replies that it did not ask for (an offer, a deadline)."""

    def owns(self, call_ref: str) -> bool:
        """Whether the call's line is held here, now."""

    async def perform(self, reply: Reply) -> None:
        """Do what the reply says, unless that is being done already. Never fails."""


Nudge = Callable[[str], Awaitable[None]]
"""Tell every process that a call was moved, so that the one that holds its line looks again. May be lost."""


IsShared = Callable[[str], bool]
"""Whether a number (E.164) is a line of many people: nothing is told of anybody by such a number."""


class Door(Protocol):
    """What an adapter sees of :class:`callrouter.calls.Calls`."""

    async def handle(self, call_ref: str, given: Input) -> Reply:
        """Move the call by one input and say what to do; see :meth:`callrouter.calls.Calls.handle`."""

    async def present(self, call_ref: str) -> Reply:
        """The present wait's instructions again, without a move."""

    async def give_up(self, call_ref: str, reason: str) -> bool:
        """Tell that the adapter itself has given the call to the network's fall-back."""

    async def record(self, call_ref: str) -> CallRecord | None:
        """What is kept of the call now. Unlike :meth:`present` it takes the caller's place or line from nobody."""

    async def knows(self, call_ref: str) -> bool:
        """Whether the call has begun under this name."""

    async def first_of(self, key: str, call_ref: str) -> str:
        """The first call to bear this key."""

    def perform_with(self, network: str, performer: Performer) -> None:
        """Have replies that no input of ``network`` asked for performed by its adapter."""
