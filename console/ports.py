"""What the console needs from the rest: figures, and alerts. (Pages of calls: ``callrouter.handover.CallPages``.)

Every count may be ``None``: a figure that nobody can vouch for is unknown, and never shown as zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal, Protocol

from alerts.figures.items import Clock, Kpis, Scope, ScopeKind, Values
from alerts.figures.waiting import WaitingNow


class ScopeFigures(Protocol):
    """The figures of one provider (``scope`` is its id, ``name`` what people call it)."""

    @property
    def scope(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def offered(self) -> int | None: ...
    @property
    def waiting(self) -> int | None: ...
    @property
    def longest_wait_s(self) -> float | None:
        """How long the caller who waits longest has waited until now, s; of no meaning if nobody waits."""

    @property
    def answered(self) -> int | None: ...
    @property
    def answered_within_60(self) -> int | None:
        """Of ``answered``, those within 60 s of being offered, the bound included."""

    @property
    def abandoned(self) -> int | None: ...


class TotalFigures(ScopeFigures, Protocol):
    """The figures of all calls, with every end class (docs/safety/rules.md, 8): their sum is ``offered``."""

    @property
    def answer_unknown(self) -> int | None: ...
    @property
    def left_in_message(self) -> int | None: ...
    @property
    def deflected(self) -> int | None: ...
    @property
    def self_served(self) -> int | None: ...
    @property
    def served_elsewhere(self) -> int | None: ...
    @property
    def call_back(self) -> int | None: ...
    @property
    def dropped_by_us(self) -> int | None: ...
    @property
    def in_progress(self) -> int | None: ...


class Figures(Protocol):
    """Callers waiting at ``at`` (UTC), and counts since the start of its day in London."""

    @property
    def at(self) -> datetime: ...
    @property
    def total(self) -> TotalFigures: ...
    @property
    def providers(self) -> Sequence[ScopeFigures]: ...


class MinutePoint(Protocol):
    """One minute of all calls; ``at`` is its start (UTC)."""

    @property
    def at(self) -> datetime: ...
    @property
    def offered(self) -> int | None: ...
    @property
    def answered(self) -> int | None: ...
    @property
    def waiting_longest_s(self) -> float | None: ...


class LiveBoard(Protocol):
    """Where the wallboard reads."""

    def figures(self) -> Figures | None:
        """The figures now; None while they are not known (the day's journal is still being read)."""

    def waiting(self, kind: ScopeKind) -> Mapping[Scope, WaitingNow] | None:
        """Who waits now, by scope, for each that has a call in progress; None while unknown."""

    def oddities(self) -> Mapping[str, int]:
        """What of the last hour could not be read or cannot be true, by name (docs/alerts.md, Odd input)."""

    def minutes(self, count: int) -> Sequence[MinutePoint]:
        """The newest ``count`` minutes, oldest first; fewer where the service has not run that long."""

    def window(self, minutes: int | Literal["today"], kind: ScopeKind, clock: Clock = "offered") -> Sequence[Kpis]:
        """The figures of the last ``minutes``, or of today, of every scope of that kind; none while unknown."""


class Past(Protocol):
    """Figures of days that are kept; the newest may lack what happened in the last seconds."""

    async def counted_until(self) -> datetime | None:
        """Until when everything that was told is counted; None where that is not known."""

    async def hours(
        self, first: date, last: date, kind: ScopeKind, clock: Clock = "offered", only: str | None = None
    ) -> Sequence[Kpis]:
        """Of each hour of London's days from ``first`` to ``last``, both included, and the scope of the id ``only``."""

    async def window(self, start: datetime, end: datetime, kind: ScopeKind, clock: Clock = "offered") -> Sequence[Kpis]:
        """Of the calls from ``start`` until before ``end`` together, and each scope of that kind that had any."""

    async def recontact(self, start: datetime, end: datetime, kind: ScopeKind = "total") -> Mapping[Scope, Values]:
        """Of callers offered in that time who were sent away: items of re-contact by scope, as far as known by now."""

    async def days(self, first: date, last: date, kind: ScopeKind, clock: Clock = "offered") -> Sequence[Kpis]:
        """Of each of these days and each scope of that kind."""


class FiringAlert(Protocol):
    """An alert that fires now. ``scope``: ``total``, ``provider:ID``, … ; ``link``: its own page, or a page of ours."""

    @property
    def title(self) -> str: ...
    @property
    def where(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def since(self) -> datetime: ...
    @property
    def acknowledged(self) -> bool: ...
    @property
    def link(self) -> str: ...


class Alerts(Protocol):
    """Which alerts fire."""

    async def firing(self) -> Sequence[FiringAlert]:
        """Those that fire now, worst first."""
