"""The values of this package: calls as far as they are counted, series, proposals. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

QUARTER_S = 900

ALL = "all"
"""The signal that every call gives: the denominator."""

EVERYWHERE = "everywhere"
"""The area of a series that counts all callers, wherever they may be."""

OF_AGE = "age:"
"""What stands before an age band (``infra.ages``) in the place of an area: callers of that band, wherever they may be.

No cell is of an area *and* an age: nearly every one would be a small number, and six bands add six series to a signal.
"""

KEPT_FROM_THE_QUEUE = frozenset({"deflected", "self_served"})
"""End classes of callers whom a message or a self-service answered (docs/safety/rules.md, 9: they are added back)."""

PRE_TRIAGE = "pre-triage"


def quarter_of(at: datetime) -> int:
    """The quarter-hour of an instant, counted from 1970 in UTC."""
    return int(at.timestamp() // QUARTER_S)


def start_of(quarter: int) -> datetime:
    """When a quarter-hour begins."""
    return datetime.fromtimestamp(quarter * QUARTER_S, UTC)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one number counts: callers of a signal and an area in a quarter-hour, under one version of the menu.

    ``area`` is the narrowest one known, or an age band (:data:`OF_AGE`): who told an age is counted once under each.
    """

    quarter: int
    signal: str
    area: str
    version: str


@dataclass(frozen=True, slots=True)
class CountedCall:
    """What is known under one call's reference. It counts from when its ``quarter`` (that of *offered*) is known.

    ``menu``, ``lexicon`` and ``reasons`` are versions of what was asked and listened for. ``age`` is a band.
    ``resumes``: the first reference of the same contact, if this is not it.
    """

    quarter: int | None = None
    menu: str = ""
    lexicon: str = ""
    reasons: str = ""
    area: str = ""
    age: str = ""
    end_class: str = ""
    signals: frozenset[str] = frozenset()
    resumes: str = ""


Kind = Literal["surge", "demand_rise", "change_of_mix"]
Method = Literal["hourly", "weekly", "daily"]
State = Literal["open", "watched", "dismissed", "acted"]


@dataclass(frozen=True, slots=True)
class Series:
    """A signal in an area, of an age band, or everywhere."""

    signal: str
    area: str


@dataclass(frozen=True, slots=True)
class Found:
    """A series that is unusual now. ``score``: standard deviations; ``rank``: 1 is to be looked at first."""

    series: Series
    method: Method
    kind: Kind
    since: datetime
    score: float
    rank: int


NOT_COUNTED = "nothing was counted lately"
"""Why a series could not be judged, where there was no call of any kind for hours."""


@dataclass(frozen=True, slots=True)
class Screened:
    """What one look gave. ``quiet``: series that have been below the bound for 48 hours, deflected callers added back.

    ``why_not``: how many series could not be judged, by reason.
    """

    at: datetime
    series: int
    judged: int
    found: tuple[Found, ...]
    quiet: frozenset[Series]
    why_not: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One episode, for people to assess. ``last_seen_at``: when a look last found it unusual.

    ``faded_at``: when taking its message off was first proposed.
    """

    id: str
    series: Series
    method: Method
    kind: Kind
    since: datetime
    found_at: datetime
    last_seen_at: datetime
    score: float
    rank: int
    state: State = "open"
    message: str = ""
    faded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Who did what with a proposal."""

    at: datetime
    step: str
    by: str
    role: str
    note: str = ""
    name: str = field(default="", compare=False)

    @property
    def who(self) -> str:
        """Who it was, as people read it."""
        return f"{self.name} ({self.by})" if self.name and self.name != self.by else self.by
