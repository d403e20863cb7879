"""A day and time of London as people type it: ``24/3/2026 14:30``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from console.words import LONDON

EXAMPLE = "24/3/2026 14:30"
_TYPED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}),?\s+(\d{1,2})[:.](\d{2})", re.ASCII)


def read_moment(typed: str) -> datetime | None:
    """The instant, UTC; None if it cannot be read, or if clocks skip it that night. Of an hour that comes twice, the
    first."""
    found = _TYPED.fullmatch(typed.strip())
    if found is None:
        return None
    day, month, year, hour, minute = (int(each) for each in found.groups())
    try:
        local = datetime(year, month, day, hour, minute, tzinfo=LONDON)
    except ValueError:
        return None
    instant = local.astimezone(UTC)
    return instant if instant.astimezone(LONDON).replace(tzinfo=None) == local.replace(tzinfo=None) else None


def type_moment(at: datetime | None) -> str:
    """As a person would type it; empty for None."""
    if at is None:
        return ""
    local = at.astimezone(LONDON)
    return f"{local.day}/{local.month}/{local.year} {local:%H:%M}"
