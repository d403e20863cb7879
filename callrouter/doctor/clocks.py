"""Clocks: timers and records of several machines are compared, so the machines must agree on the time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from callrouter.doctor.model import Finding, ok, warning

MOST_SKEW_S = 1.0
"""Waits that another worker takes over, and the order of records, are right to within this."""

HTTP_DATE_S = 1.0
"""A ``Date`` header has whole seconds."""


def compare(about: str, theirs: datetime, before: datetime, after: datetime, *, coarse_s: float = 0.0) -> Finding:
    """``theirs`` was read between ``before`` and ``after`` on our own clock; it may be ``coarse_s`` behind."""
    ahead_s = (theirs - after).total_seconds()
    behind_s = (before - theirs).total_seconds() - coarse_s
    skew_s = max(ahead_s, behind_s, 0.0)
    if skew_s <= MOST_SKEW_S:
        return ok(about, "its clock and ours agree")
    return warning(
        about,
        f"its clock and ours differ by {skew_s:.1f} s",
        "have NTP keep the time on both machines (chronyc tracking)",
    )


def compare_http(about: str, date: str | None, before: datetime, after: datetime) -> Sequence[Finding]:
    """The clock behind a ``Date`` header, if there is one."""
    if date is None:
        return []
    return [compare(about, parsedate_to_datetime(date), before, after, coarse_s=HTTP_DATE_S)]


def now() -> datetime:
    """Our own clock."""
    return datetime.now(UTC)
