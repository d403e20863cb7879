"""Until when what a page shows was counted, and whether that is too long ago to be taken for now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from console import words

OLD_AFTER = timedelta(minutes=3)
"""A sum is kept a minute, hours are added up twice a minute: older than this something does not work."""


@dataclass(frozen=True, slots=True)
class Age:
    """``until`` in words, empty of what is counted to its end. ``is_old``: it lacks what has happened since.

    Not ``is_known``: nobody knows until when, so that it may lack anything.
    """

    until: str = ""
    is_old: bool = False
    is_known: bool = True


def age(until: datetime | None, end: datetime, now: datetime) -> Age:
    """Of calls before ``end`` (now, at the latest) that were counted ``until`` then; None: not known until when."""
    if until is None:
        return Age(is_old=True, is_known=False)
    if until >= end:
        return Age()
    return Age(_said(until, now), min(end, now) - until > OLD_AFTER)


def _said(at: datetime, now: datetime) -> str:
    is_today = at.astimezone(words.LONDON).date() == now.astimezone(words.LONDON).date()
    return words.clock_time(at)[:5] if is_today else words.moment(at)
