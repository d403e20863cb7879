"""Callers who were sent elsewhere or left with a message, and rang again: the lines that a page shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.figures.items import ITEMS, Scope
from console.item_table import RECONTACT
from console.measures import told
from console.readings import Readings
from console.windows import Stretch

CODES = tuple(code for code in ITEMS if code.startswith(RECONTACT))


async def read_again(readings: Readings, scope: Scope, window: Stretch) -> Mapping[str, Any]:
    """Of the days that were asked for, else of the last 24 hours. ``rows`` is None if that is not known."""
    of_days = window.minutes is None
    if of_days:
        counted = await readings.counted_of(window, scope)
    else:
        counted = await readings.recontact(scope)
    return {
        "rows": None if counted is None else [(ITEMS[code].title, told(counted, code, default=0)) for code in CODES],
        "during": window.during if of_days else "of the last 24 hours, so far",
    }
