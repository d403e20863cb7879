"""A made-up past of counts, written straight into the table: weeks of callers as they come by the hour of the week."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert

from alerts.surges.indicators import read_indicators
from alerts.surges.model import ALL, Cell, quarter_of, start_of
from alerts.surges.tables import surge_counts

VERSION = read_indicators().version
MENU = f"f1/{VERSION}"
USUAL = {"bromley": 1.5, "barnet": 1.5, "unknown": 3.0}
"""Callers with a cold or flu in a mean quarter-hour, by area; of all callers there are eight times as many."""


def write_past(
    connection: Connection,
    until: datetime,
    *,
    days: float = 36,
    surge: Mapping[str, float] | None = None,
    surge_hours: float = 4,
    menu: str = MENU,
    seed: int = 6,
) -> None:
    """Up to before ``until``; in its last ``surge_hours`` callers with a cold or flu come so many times as often."""
    chance = random.Random(seed)
    rows = []
    last = quarter_of(until)
    for quarter in range(quarter_of(until - timedelta(days=days)), last):
        at = start_of(quarter)
        shape = (1 + 0.7 * math.sin(math.tau * (at.hour - 7) / 24)) * (1.5 if at.weekday() >= 5 else 1.0)
        for area, level in USUAL.items():
            times = (surge or {}).get(area, 1.0) if quarter >= last - 4 * surge_hours else 1.0
            callers = _poisson(chance, times * level * shape)
            others = _poisson(chance, 7 * level * shape)
            rows.append((Cell(quarter, ALL, area, ""), callers + others, 0))
            if callers:
                rows.append((Cell(quarter, "cold_or_flu", area, menu), callers, 0))
    put_counts(connection, rows)


def put_counts(connection: Connection, rows: Iterable[tuple[Cell, int, int]]) -> None:
    """Put new cells with their demand and deflected."""
    values = [asdict(cell) | {"demand": demand, "deflected": deflected} for cell, demand, deflected in rows]
    connection.execute(insert(surge_counts), values)


def _poisson(chance: random.Random, mean: float) -> int:
    """Knuth's way, which needs nothing but the standard library."""
    least, product, count = math.exp(-mean), chance.random(), 0
    while product > least:
        product *= chance.random()
        count += 1
    return count
