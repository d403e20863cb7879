"""One call, read from whichever of its events have arrived, as far as figures need it.

Reading starts afresh, in the order of ``seq``, so that the result depends on which events are known and never on the
order in which they came. A call that was cut off and resumed is one call: its parts are read one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeAlias

from alerts.figures.items import IN_PROGRESS, NOWHERE, PROBE_FLOW
from callrouter import events as ev

Facts: TypeAlias = Mapping[str, Any]
Told: TypeAlias = tuple[int, datetime, str, Facts]
"""An event as it is read: its ``seq``, when, its kind, and what it says in clear."""

_QUEUED = ev.Queued.kind

NEEDS: Mapping[str, tuple[str, ...]] = {
    ev.Offered.kind: ("flow", "flow_version"),
    ev.NodeEntered.kind: (),
    ev.AreaKnown.kind: ("area",),
    ev.MessageHeard.kind: ("marker",),
    _QUEUED: (),
    ev.LegStarted.kind: ("provider", "service"),
    ev.LegAnswered.kind: ("provider", "evidence"),
    ev.LegFailed.kind: ("provider",),
    ev.TalkEnded.kind: ("provider",),
    ev.ContextOpened.kind: ("role",),
    ev.SessionFailed.kind: (),
    ev.HandedBack.kind: (),
    ev.Ended.kind: ("end_class",),
}
"""The kinds of event that move a figure, and what such an event must say to be read."""

LATEST_SEQ = 100_000
"""No call has so many events; a number beyond it is a defect, and must not cost memory."""


def kept_of(seq: int, kind: str, facts: Facts) -> Facts | None:
    """Of an event in a kind of :data:`NEEDS` what :func:`read_call` looks at; None if it cannot be read.

    One in a newer form may not say what is needed. One object stands for all events that say the same: events are
    kept for hours, and what many of them say alike is the most of what they would take.
    """
    if not 0 <= seq <= LATEST_SEQ:
        return None
    if kind == _QUEUED:
        services = facts.get("services")
        return said(kind, tuple(map(str, services[:1]))) if isinstance(services, (list, tuple)) else None
    values = tuple(map(facts.get, NEEDS[kind]))
    for value in values:
        if type(value) is not str:
            return None
    return said(kind, values)


def values_of(kind: str, kept: Facts) -> tuple[str, ...]:
    """The values of what :func:`kept_of` gave, without the names."""
    return tuple(kept["services"] if kind == _QUEUED else kept.values())


@lru_cache(maxsize=4096)
def said(kind: str, values: tuple[str, ...]) -> Facts:
    """The facts again, of their values."""
    return {"services": values} if kind == _QUEUED else dict(zip(NEEDS[kind], values, strict=True))


@dataclass(slots=True)
class Wait:
    """A stretch of waiting for a person; ``until`` is None while it lasts."""

    since: datetime
    until: datetime | None = None


@dataclass(slots=True)
class Leg:
    """One provider's part in a call; however often it was tried, it was offered once.

    ``started_at`` is None as long as that event has not arrived.
    """

    started_at: datetime | None = None
    waiting: bool = False
    talking: bool = False
    switch_at: datetime | None = None
    answered_at: datetime | None = None
    abandoned_at: datetime | None = None


@dataclass(slots=True)
class Call:
    """What a call's events say. ``answered_at``: the first moment at which an agent is known to be there."""

    first_at: datetime
    offered_at: datetime | None = None
    flow: str = ""
    flow_version: str = ""
    routed: bool = False
    area: str = NOWHERE
    service: str = NOWHERE
    message: str = ""
    message_at: datetime | None = None
    waits: list[Wait] = field(default_factory=list)
    legs: dict[str, Leg] = field(default_factory=dict)
    at_switch_of: str | None = None
    switch_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ended_as: str | None = None
    failed_at: datetime | None = None
    """When the flow could not go on, or something of ours gave the caller to the network's fall-back."""

    @property
    def is_probe(self) -> bool:
        """Whether the auditor placed it: it is in no published figure."""
        return self.flow == PROBE_FLOW

    @property
    def arrived_at(self) -> datetime:
        """Start of the ``offered`` clock; until that event arrives, the earliest time known of the call."""
        return self.offered_at or self.first_at

    @property
    def message_end(self) -> datetime | None:
        """Start of the ``message_end`` clock: when the caller began to wait for a person, or the message ended."""
        return self.waits[0].since if self.waits else self.message_at

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
        return tuple([name for name, leg in self.legs.items() if leg.started_at is not None])

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
            return "answer_unknown" if self.at_switch_of else IN_PROGRESS
        if self.ended_as in ("answered", "answer_unknown"):
            return "answered" if self.answered_at else "answer_unknown"
        return self.ended_as if self.ended_as in ev.END_CLASSES else "dropped_by_us"


def read_call(parts: Iterable[Sequence[Told]]) -> Call:
    """The call that these events describe: of each part its own, at least one in all; gaps are left as they are.

    A part that resumes an earlier one goes on with it: the earlier end counts no more.
    """
    ordered = [(min(map(_at, part)), sorted(part, key=_seq)) for part in parts if part]
    if len(ordered) > 1:
        ordered.sort(key=_began)
    call = Call(first_at=ordered[0][0])
    for _, part in ordered:
        call.ended_at, call.ended_as, call.at_switch_of = None, None, None
        for leg in call.legs.values():
            leg.abandoned_at = None
        for _, at, kind, facts in part:
            if call.ended_as is None:  # a page opened after the call says nothing about who answered it
                _READERS[kind](call, at, facts)
    return call


_seq, _at, _began = itemgetter(0), itemgetter(1), itemgetter(0)


def _offered(call: Call, at: datetime, facts: Facts) -> None:
    if call.offered_at is None:
        call.offered_at, call.flow = at, facts["flow"]
    call.flow_version = facts["flow_version"]


def _routed(call: Call, _at: datetime, _facts: Facts) -> None:
    call.routed = True


def _area_known(call: Call, _at: datetime, facts: Facts) -> None:
    call.area = facts["area"]


def _message_heard(call: Call, at: datetime, facts: Facts) -> None:
    call.message, call.message_at = facts["marker"], at


def _queued(call: Call, at: datetime, facts: Facts) -> None:
    if facts["services"] and call.service == NOWHERE:
        call.service = facts["services"][0]
    _begin_wait(call, at)


def _begin_wait(call: Call, at: datetime) -> None:
    waits = call.waits
    if call.answered_at is None and (not waits or waits[-1].until is not None):
        waits.append(Wait(at))


def _end_wait(call: Call, at: datetime) -> None:
    waits = call.waits
    if waits and waits[-1].until is None:
        waits[-1].until = at


def _leg_of(call: Call, facts: Facts) -> Leg:
    provider = facts["provider"]
    leg = call.legs.get(provider)
    if leg is None:
        leg = call.legs[provider] = Leg()
    return leg


def _leg_started(call: Call, at: datetime, facts: Facts) -> None:
    leg = _leg_of(call, facts)
    leg.started_at, leg.waiting, leg.abandoned_at = leg.started_at or at, True, None
    call.service = facts["service"]
    _begin_wait(call, at)


def _leg_answered(call: Call, at: datetime, facts: Facts) -> None:
    if facts["evidence"] == "agent":
        _agent_answered(call, at, _leg_of(call, facts))
        return
    leg = _leg_of(call, facts)
    leg.waiting, leg.talking, leg.switch_at = False, True, leg.switch_at or at
    call.at_switch_of, call.switch_at = facts["provider"], call.switch_at or at
    _end_wait(call, at)


def _agent_answered(call: Call, at: datetime, leg: Leg) -> None:
    leg.waiting, leg.talking, leg.answered_at = False, True, leg.answered_at or at
    call.answered_at, call.at_switch_of = call.answered_at or at, None
    _end_wait(call, at)


def _leg_over(call: Call, _at: datetime, facts: Facts) -> None:
    leg = _leg_of(call, facts)
    leg.waiting = leg.talking = False
    if call.at_switch_of == facts["provider"]:
        call.at_switch_of = None


def _leg_failed(call: Call, at: datetime, facts: Facts) -> None:
    _leg_over(call, at, facts)
    _begin_wait(call, at)


def _context_opened(call: Call, at: datetime, facts: Facts) -> None:
    if facts["role"] in ev.AGENT_ROLES and call.at_switch_of is not None:
        _agent_answered(call, at, call.legs[call.at_switch_of])


def _failed(call: Call, at: datetime, _facts: Facts) -> None:
    call.failed_at = call.failed_at or at


def _handed_back(call: Call, at: datetime, facts: Facts) -> None:
    _failed(call, at, facts)
    for leg in call.legs.values():
        leg.waiting = leg.talking = False
    _end_wait(call, at)  # the network rings 111 without us: who waits there, we cannot see


def _ended(call: Call, at: datetime, facts: Facts) -> None:
    call.ended_at, call.ended_as = at, facts["end_class"]
    for leg in call.legs.values():
        leg.abandoned_at = at if leg.waiting and call.ended_as == "abandoned" else None
        leg.waiting = leg.talking = False
    _end_wait(call, at)


_READERS: Mapping[str, Callable[[Call, datetime, Facts], None]] = {
    ev.Offered.kind: _offered,
    ev.NodeEntered.kind: _routed,
    ev.AreaKnown.kind: _area_known,
    ev.MessageHeard.kind: _message_heard,
    ev.Queued.kind: _queued,
    ev.LegStarted.kind: _leg_started,
    ev.LegAnswered.kind: _leg_answered,
    ev.LegFailed.kind: _leg_failed,
    ev.TalkEnded.kind: _leg_over,
    ev.ContextOpened.kind: _context_opened,
    ev.SessionFailed.kind: _failed,
    ev.HandedBack.kind: _handed_back,
    ev.Ended.kind: _ended,
}
