"""What one call adds to the figures: one share for each scope that it belongs to.

The rules of counting (docs/safety/rules.md, 8) are applied here and in no other place of the figures; the recount
(alerts/figures/recount.py) has its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from alerts.figures.calls import Call, Leg
from alerts.figures.items import IN_PROGRESS, NOT_TAKEN, TOTAL, Clock, Scope, ScopeKind

MICROSECOND = timedelta(microseconds=1)

_Took: TypeAlias = tuple[tuple[Clock, int], ...]
_Since: TypeAlias = tuple[tuple[Clock, datetime], ...]


class Share(NamedTuple):
    """One call in the figures of one scope. It counts ``at`` the moment of its offer, in one end class.

    ``took_us``: under each clock the microseconds until the answer, the switch's answer, or the end of who wanted a
    person; no entry where there is none. ``since``: under each clock from when somebody waits who still does.
    """

    scope: Scope
    at: datetime
    end: str
    routed: bool
    took_us: _Took = ()
    since: _Since = ()


def shares_of(call: Call) -> tuple[Share, ...]:
    """Every share of the call; a probe has none, and the whole of a call only once its ``offered`` has arrived."""
    if call.is_probe:
        return ()
    shares: list[Share] = []
    if call.offered_at is not None:
        whole = _whole(call, call.offered_at, TOTAL)
        _, at, end, routed, took_us, since = whole
        shares += (
            whole,
            Share(_scope("service", call.service), at, end, routed, took_us, since),
            Share(_scope("area", call.area), at, end, routed, took_us, since),
        )
    for provider, leg in call.legs.items():
        if leg.started_at is not None:
            shares.append(_offer(_scope("provider", provider), leg, leg.started_at, routed=call.routed))
    return tuple(shares)


def _whole(call: Call, offered_at: datetime, scope: Scope) -> Share:
    end = call.end_class
    until = _until(call, end)
    message_end = call.message_end or offered_at
    if until is not None:
        took: _Took = (("offered", _between(offered_at, until)), ("message_end", _between(message_end, until)))
        return Share(scope, offered_at, end, call.routed, took)
    if end != IN_PROGRESS or (call.waits and not call.waiting):
        return Share(scope, offered_at, end, call.routed)
    if not call.waits:  # still in the menus: the other clock has not begun
        return Share(scope, offered_at, end, call.routed, (), (("offered", offered_at),))
    since: _Since = (("offered", offered_at), ("message_end", message_end))
    return Share(scope, offered_at, end, call.routed, (), since)


def _until(call: Call, end: str) -> datetime | None:
    """When the wait of a caller who wanted a person was over; None for one who did not, or who still waits."""
    match end:
        case "answered":
            return call.answered_at
        case "answer_unknown":
            return call.switch_at or call.ended_at
        case "abandoned":
            return call.ended_at
        case "dropped_by_us" | "call_back" if call.waits:
            return call.ended_at
        case _:
            return None


def _offer(scope: Scope, leg: Leg, started_at: datetime, *, routed: bool) -> Share:
    """The offer to a provider. Our messages are over by then: both clocks start with it."""
    end, until = _end_of(leg)
    if until is not None:
        took_us = _between(started_at, until)
        return Share(scope, started_at, end, routed, (("offered", took_us), ("message_end", took_us)))
    if end == IN_PROGRESS:
        return Share(scope, started_at, end, routed, (), (("offered", started_at), ("message_end", started_at)))
    return Share(scope, started_at, end, routed)


def _end_of(leg: Leg) -> tuple[str, datetime | None]:
    if leg.answered_at is not None:
        return "answered", leg.answered_at
    if leg.abandoned_at is not None:
        return "abandoned", leg.abandoned_at
    if leg.switch_at is not None:
        return "answer_unknown", leg.switch_at
    return (IN_PROGRESS if leg.waiting else NOT_TAKEN), None


def _between(start: datetime, end: datetime) -> int:
    """Microseconds; 0 where clocks disagree so that the end comes first."""
    return (end - start) // MICROSECOND if end > start else 0


@lru_cache(maxsize=1024)
def _scope(kind: ScopeKind, name: str) -> Scope:
    return Scope(kind, name)
