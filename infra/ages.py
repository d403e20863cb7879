"""Age bands of syndromic surveillance (docs/domain.md, Surges): all that is ever counted of a date of birth."""

from __future__ import annotations

from datetime import date, datetime

from infra.office import LONDON

OLDEST = 130
"""Nobody was ever so old: such a date was mistyped."""

_FROM = {"0": 0, "1-4": 1, "5-14": 5, "15-44": 15, "45-64": 45, "65+": 65}
"""The first year of age of each band."""

AGE_BANDS = tuple(_FROM)


def age_band(born: date, at: datetime) -> str | None:
    """The band, by London's day ``at`` (with a time zone), of somebody born then; None where nobody can be so old."""
    today = at.astimezone(LONDON).date()
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if not 0 <= years < OLDEST:
        return None
    return next(band for band in reversed(AGE_BANDS) if years >= _FROM[band])


def in_words(band: str) -> str:
    """``Aged 1 to 4`` of ``1-4``."""
    if band == "0":
        return "Aged under 1"
    return f"Aged {band[:-1]} and over" if band.endswith("+") else f"Aged {band.replace('-', ' to ')}"
