"""One call, read from whichever of its events have arrived, as far as KPIs need it.

Reading starts afresh with each new event, in the order of ``seq``, so that the result depends on which events
are known and never on the order in which they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypeAlias

from alerts.model import ANSWERED_IN_TIME, LONDON, TOTAL
from callrouter import events as ev

AGENT_ROLES = frozenset({"handler", "clinician"})
"""Who takes calls (docs/safety/rules.md, 6). A commissioner who looks at a call's page has not answered it."""

READ = frozenset(
    cls.kind
    for cls in (
        ev.Offered, ev.Queued, ev.LegStarted, ev.LegAnswered, ev.LegFailed, ev.TalkEnded, ev.ContextOpened,
        ev.SessionFailed, ev.HandedBack, ev.Ended,
    )
)  # fmt: skip
"""The kinds of event that move a figure."""

Mark: TypeAlias = tuple[date, str, str]
"""Europe/London day, scope, figure: one call adds one to each of its marks."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A stretch of waiting for a person; ``until`` is None while it lasts."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Leg:
    """One provider's part in a call; however often it was tried, it was offered once.

    ``started_at`` is None as long as that event has not arrived.
    """

    started_at: datetime | None = None
    waiting: bool = False
    talking: bool = False
    at_switch: bool = False
    answered_at: datetime | None = None
    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What a call's events say. ``answered_at``: the first moment at which an agent is known to be there."""

    first_at: datetime
    offered_at: datetime | None = None
    waits: tuple[Wait, ...] = ()
    legs: Mapping[str, Leg] = field(default_factory=dict)
    at_switch_of: str | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ended_as: str | None = None
    failed_at: datetime | None = None
    """When the flow could not go on, or something of ours gave the caller to the network's fall-back."""

    @property
    def arrived_at(self) -> datetime:
        """Start of the ``offered`` clock; until that event arrives, the earliest time known of the call."""
        return self.offered_at or self.first_at

    @property
    def waiting(self) -> bool:
        """Whether the caller waits for a person now."""
        return bool(self.waits) and self.waits[-1].until is None

    @property
    def talking(self) -> bool:
        """Whether somebody, or a provider's switch, has the caller on the line now."""
        return any(leg.talking for leg in self.legs.values())

    @property
    def providers(self) -> tuple[str, ...]:
        """Who was offered the call. The network's own fall-back may answer without an offer of ours."""
        return tuple(name for name, leg in self.legs.items() if leg.started_at is not None)

    def waits_at(self, provider: str) -> datetime | None:
        """Since when the caller whom ``provider`` has still to answer has waited; None if it has not.

        That is the ``offered`` clock of the service, unless somebody has answered already and passes the
        caller on: the talk before it is no wait.
        """
        leg = self.legs[provider]
        if not leg.waiting or leg.started_at is None:
            return None
        return self.arrived_at if self.answered_at is None else leg.started_at

    @property
    def end_class(self) -> str:
        """The one class in which the call counts (docs/safety/rules.md, 8).

        An answer without an agent event is ``answer_unknown``, whatever the end says; a class that we do not
        know is a failure of ours.
        """
        if self.ended_as is None:
            if self.answered_at:
                return "answered"
            return "answer_unknown" if self.at_switch_of else "in_progress"
        if self.ended_as in ("answered", "answer_unknown"):
            return "answered" if self.answered_at else "answer_unknown"
        return self.ended_as if self.ended_as in ev.END_CLASSES else "dropped_by_us"


def read_call(recorded: Mapping[int, tuple[datetime, ev.Event]]) -> Call:
    """The call that these events, by their ``seq``, describe. At least one; gaps are left as they are."""
    call = Call(first_at=min(at for at, _ in recorded.values()))
    for seq in sorted(recorded):
        call = _advance(call, *recorded[seq])
    return call


def marks(call: Call) -> frozenset[Mark]:
    """What the call adds to the day's figures; nothing until its ``offered`` has arrived.

    The call belongs to the day on which it was offered, its offer to a provider to the day of that offer.
    """
    found: set[Mark] = set()
    if call.offered_at is not None:
        day = _day(call.offered_at)
        found |= {(day, TOTAL, "offered"), (day, TOTAL, call.end_class)}
        if call.end_class == "answered" and _in_time(call.offered_at, call.answered_at):
            found.add((day, TOTAL, "answered_within_60"))
    for provider, leg in call.legs.items():
        if leg.started_at is not None:
            found |= {(_day(leg.started_at), provider, figure) for figure in _figures(leg, leg.started_at)}
    return frozenset(found)


def _figures(leg: Leg, started_at: datetime) -> set[str]:
    if leg.answered_at is not None:
        within = {"answered_within_60"} if _in_time(started_at, leg.answered_at) else set()
        return {"offered", "answered"} | within
    if leg.abandoned:
        return {"offered", "abandoned"}
    if leg.at_switch:
        return {"offered", "answer_unknown"}
    return {"offered", "in_progress"} if leg.waiting else {"offered"}


def _in_time(start: datetime, answered_at: datetime | None) -> bool:
    return answered_at is not None and answered_at - start <= ANSWERED_IN_TIME


def _day(at: datetime) -> date:
    return at.astimezone(LONDON).date()


def _advance(call: Call, at: datetime, event: ev.Event) -> Call:
    if call.ended_as is not None:
        return call  # a page opened after the call says nothing about who answered it
    match event:
        case ev.Offered():
            return replace(call, offered_at=call.offered_at or at)
        case ev.Queued():
            return _begin_wait(call, at)
        case ev.LegStarted(provider=provider):
            return _begin_wait(_leg_started(call, at, provider), at)
        case ev.LegAnswered(provider=provider, evidence="agent"):
            return _agent_answered(call, at, provider)
        case ev.LegAnswered(provider=provider):
            return _switch_answered(call, at, provider)
        case ev.LegFailed(provider=provider):
            return _begin_wait(_leg_over(call, provider), at)
        case ev.TalkEnded(provider=provider):
            return _leg_over(call, provider)
        case ev.ContextOpened(role=role) if role in AGENT_ROLES and call.at_switch_of is not None:
            return _agent_answered(call, at, call.at_switch_of)
        case ev.SessionFailed():
            return replace(call, failed_at=call.failed_at or at)
        case ev.HandedBack():
            call = replace(call, failed_at=call.failed_at or at)
            return _end_wait(_close_legs(call), at)  # the network rings 111 without us: who waits there, we cannot see
        case ev.Ended():
            return _ended(call, at, event.end_class)
        case _:
            return call


def _begin_wait(call: Call, at: datetime) -> Call:
    if call.waiting or call.answered_at is not None:
        return call
    return replace(call, waits=(*call.waits, Wait(at)))


def _end_wait(call: Call, at: datetime) -> Call:
    if not call.waiting:
        return call
    return replace(call, waits=(*call.waits[:-1], replace(call.waits[-1], until=at)))


def _with_leg(call: Call, provider: str, leg: Leg) -> Call:
    return replace(call, legs={**call.legs, provider: leg})


def _leg_started(call: Call, at: datetime, provider: str) -> Call:
    leg = call.legs.get(provider, Leg())
    return _with_leg(call, provider, replace(leg, started_at=leg.started_at or at, waiting=True))


def _agent_answered(call: Call, at: datetime, provider: str) -> Call:
    leg = call.legs.get(provider, Leg())
    leg = replace(leg, waiting=False, talking=True, answered_at=leg.answered_at or at)
    call = _end_wait(_with_leg(call, provider, leg), at)
    return replace(call, answered_at=call.answered_at or at, at_switch_of=None)


def _switch_answered(call: Call, at: datetime, provider: str) -> Call:
    leg = replace(call.legs.get(provider, Leg()), waiting=False, talking=True, at_switch=True)
    call = _end_wait(_with_leg(call, provider, leg), at)
    return replace(call, at_switch_of=provider)


def _leg_over(call: Call, provider: str) -> Call:
    leg = replace(call.legs.get(provider, Leg()), waiting=False, talking=False)
    at_switch_of = None if call.at_switch_of == provider else call.at_switch_of
    return replace(_with_leg(call, provider, leg), at_switch_of=at_switch_of)


def _ended(call: Call, at: datetime, end_class: str) -> Call:
    call = _close_legs(call, abandoned=end_class == "abandoned")
    return replace(_end_wait(call, at), ended_at=at, ended_as=end_class)


def _close_legs(call: Call, *, abandoned: bool = False) -> Call:
    legs = {
        provider: replace(leg, waiting=False, talking=False, abandoned=abandoned and leg.waiting)
        for provider, leg in call.legs.items()
    }
    return replace(call, legs=legs)
