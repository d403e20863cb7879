"""Figures by item code, for pages: made from a few counts, the rest of the items following from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.figures.items import CLASSES, ITEMS, Clock, Kpis, Scope, Seconds

NOON = datetime(2026, 2, 3, 12, 0, tzinfo=UTC)


def kpis(
    scope: str = "total",
    name: str = "All calls",
    start: datetime = NOON,
    end: datetime | None = None,
    clock: Clock = "offered",
    ends: Mapping[str, int] | None = None,
    answers: Mapping[int, int] | None = None,
    **values: Any,
) -> Kpis:
    """Calls with these end classes; ``answers``: seconds to answer → calls. ``values`` replaces items."""
    seconds = Seconds(answers or {})
    found = dict.fromkeys(CLASSES, 0) | {"answered": seconds.total} | dict(ends or {})
    items: dict[str, float | None] = dict.fromkeys(ITEMS)
    items |= {
        "A01": sum(found.values()),
        "A03": found["answered"],
        "B01": seconds.within(60),
        "B02": found["abandoned"],
        "B06": sum(second * calls for second, calls in seconds.counts.items()),
        "B07": seconds.centile(0.95),
        "B07_ALL": seconds.centile(0.95),
    }
    return Kpis(
        scope=Scope.read(scope), name=name, start=start, end=end or start + timedelta(hours=1), clock=clock, ends=found,
        values=items | values, seconds=seconds, waits=seconds,
    )  # fmt: skip


def area(name: str, calls: int) -> Kpis:
    """Calls of one area."""
    return kpis(f"area:{name}", name, answers={10: calls})
