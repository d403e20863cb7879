"""What the console needs from the rest: live figures. (Pages of calls: ``callrouter.handover.CallPages``.)

Every count may be ``None``: a figure that nobody can vouch for is unknown, and never shown as zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


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

    def minutes(self, count: int) -> Sequence[MinutePoint]:
        """The newest ``count`` minutes, oldest first; fewer where the service has not run that long."""
