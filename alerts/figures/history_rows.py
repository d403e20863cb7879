"""Calls and days as rows of the history, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from alerts.figures.calls import Told, read_call
from alerts.figures.items import Kpis, Scope, Seconds
from alerts.figures.shares import Share, shares_of
from alerts.model import LONDON

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Contact:
    """One call of the figures with all of its known events: those of its own reference, and of what resumes it."""

    ref: str
    parts: Mapping[str, Sequence[Told]]


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour. London's hours are those of UTC, by another name."""
    return at.replace(minute=0, second=0, microsecond=0)


def midnight(day: date) -> datetime:
    """When the London day begins, UTC."""
    return datetime.combine(day, time(), LONDON).astimezone(UTC)


def row_of(contact: Contact) -> dict[str, Any]:
    """The row of ``kpi_calls``; the contact has at least one event."""
    call = read_call(contact.parts.values())
    shares = shares_of(call)
    hours = sorted(hour_of(share.at) for share in shares)
    return {
        "contact": contact.ref,
        "events": sum(map(len, contact.parts.values())),
        "parts": sorted(contact.parts),
        "offered_at": call.offered_at,
        "ended_at": call.ended_at,
        "end_class": call.end_class,
        "flow_version": call.flow_version,
        "message": call.message,
        "first_hour": hours[0] if hours else None,
        "last_hour": hours[-1] if hours else None,
        "shares": [_as_data(each) for each in shares],
    }


def hours_of(shares: Iterable[Sequence[Any]]) -> set[datetime]:
    """The hours in which stored shares count."""
    return {hour_of(datetime.fromisoformat(each[2])) for each in shares}


def shares_in(row_shares: Iterable[Sequence[Any]], start: datetime, end: datetime) -> list[Share]:
    """Of stored shares, those that count from ``start`` until before ``end``."""
    found = []
    for kind, name, told_at, how, routed, took in row_shares:
        at = datetime.fromisoformat(told_at)
        if start <= at < end:
            found.append(Share(Scope(kind, name), at, how, routed, tuple((clock, us) for clock, us in took)))
    return found


def _as_data(share: Share) -> list[Any]:
    took = [list(each) for each in share.took_us]
    return [share.scope.kind, share.scope.id, share.at.isoformat(), share.end, share.routed, took]


class StoredCounts(Mapping[int, int]):
    """Calls by whole second as they are stored, read when somebody asks: a year of days is more often listed."""

    def __init__(self, stored: str) -> None:
        self._stored = stored

    @cached_property
    def _counts(self) -> dict[int, int]:
        return dict(json.loads(self._stored))

    def __getitem__(self, second: int) -> int:
        return self._counts[second]

    def __iter__(self) -> Iterator[int]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)


def figures_as_data(kpis: Kpis) -> dict[str, Any]:
    """What a day's row holds of its figures under one clock."""
    return {
        "ends": dict(kpis.ends),
        "values": {code: value for code, value in kpis.values.items() if value is not None},
        "seconds": json.dumps(sorted(kpis.seconds.counts.items())),
        "waits": json.dumps(sorted(kpis.waits.counts.items())),
    }


def seconds_of(stored: str) -> Seconds:
    """Counts by second again."""
    return Seconds(StoredCounts(stored))
