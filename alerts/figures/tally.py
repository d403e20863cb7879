"""Counts that merge: minutes to windows, hours to days, days to weeks, and the figures that they tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from alerts.figures.items import (
    CLASSES,
    CLOCKS,
    ITEMS,
    NOT_TAKEN,
    Clock,
    Kpis,
    Scope,
    Seconds,
)  # fmt: skip
from alerts.figures.shares import MICROSECOND, Share

SECOND_US = 1_000_000
OTHER = "other"
ENDS = (*CLASSES, NOT_TAKEN)

_Group = tuple[Clock, str]
"""A clock, and whose times: of the answered, the abandoned, or others who wanted a person."""

_GROUPS: Mapping[str, Mapping[Clock, _Group]] = {
    whose: {clock: (clock, whose) for clock in CLOCKS} for whose in ("answered", "abandoned", OTHER)
}


class Tally:
    """The shares of any number of calls, added up. Nothing is rounded, so taking one out undoes its adding.

    ``ends``: calls by end class. ``routed``: those that came through the IVR. ``times``: of each clock and group, calls
    by whole seconds; ``sums_us``: their exact microseconds.
    """

    __slots__ = ("ends", "routed", "sums_us", "times")

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self.routed = 0
        self.times: dict[_Group, Counter[int]] = {}
        self.sums_us: Counter[_Group] = Counter()

    def add(self, share: Share, calls: int = 1) -> None:
        """Add the share; take it out with ``calls`` -1."""
        _, _, end, routed, took_us, _ = share
        self.ends[end] += calls
        if routed:
            self.routed += calls
        if took_us:
            self._times(end if end in _GROUPS else OTHER, took_us, calls)

    def add_waiting(self, share: Share, now: datetime) -> None:
        """Count somebody who waits at their time so far."""
        self._times(OTHER, [(clock, max(0, (now - since) // MICROSECOND)) for clock, since in share.since], 1)

    def _times(self, whose: str, took_us: Iterable[tuple[Clock, int]], calls: int) -> None:
        groups, sums_us = _GROUPS[whose], self.sums_us
        for clock, us in took_us:
            group = groups[clock]
            times = self.times.get(group)
            if times is None:
                times = self.times[group] = Counter()
            second = -(-us // SECOND_US)
            times[second] = times.get(second, 0) + calls  # a Counter that lacks a key asks a function for its 0
            sums_us[group] += calls * us

    def merge(self, other: Tally) -> None:
        """Add all of ``other``."""
        self.ends.update(other.ends)
        self.routed += other.routed
        for group, times in other.times.items():
            self.times.setdefault(group, Counter()).update(times)
        self.sums_us.update(other.sums_us)

    def merge_data(self, data: Mapping[str, Any]) -> None:
        """Add what :meth:`as_data` gave of another."""
        for end, count in data["ends"].items():
            self.ends[end] += count
        self.routed += data["routed"]
        for clock, group, sum_us, seconds, calls in data["times"]:
            times = self.times.setdefault((clock, group), Counter())
            known = times.get
            for second, count in zip(seconds, calls, strict=True):
                times[second] = known(second, 0) + count
            self.sums_us[clock, group] += sum_us

    @property
    def is_empty(self) -> bool:
        """Whether no call is left in it."""
        return not any(self.ends.values())

    def seconds(self, clock: Clock, *groups: str) -> Seconds:
        """The times of these groups together."""
        found: Counter[int] = Counter()
        for group in groups:
            found.update(self.times.get((clock, group), {}))
        return Seconds({second: calls for second, calls in found.items() if calls})

    def kpis(self, scope: Scope, name: str, start: datetime, end: datetime, clock: Clock) -> Kpis:
        """The figures of these calls under a clock."""
        answered, abandoned = self.seconds(clock, "answered"), self.seconds(clock, "abandoned")
        waits = self.seconds(clock, "answered", "abandoned", OTHER)
        ends = {each: self.ends[each] for each in ENDS if each != NOT_TAKEN or scope.kind == "provider"}
        values: dict[str, float | None] = dict.fromkeys(ITEMS)
        values.update(
            A01=sum(ends.values()),
            A02=self.routed,
            A03=ends["answered"],
            B01=answered.within(60),
            B02=ends["abandoned"],
            B03=abandoned.within(30),
            B04=abandoned.within(60) - abandoned.within(30),
            B05=ends["abandoned"] - abandoned.within(60),
            B06=self.sums_us[clock, "answered"] / SECOND_US,
            B07=answered.centile(0.95),
            B07_ALL=waits.centile(0.95),
            B09=self.sums_us[clock, "abandoned"] / SECOND_US,
        )
        return Kpis(
            scope=scope, name=name, start=start, end=end, clock=clock, ends=ends, values=values, seconds=answered,
            waits=waits,
        )  # fmt: skip

    def as_data(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "ends": {end: calls for end, calls in self.ends.items() if calls},
            "routed": self.routed,
            "times": [
                [*group, self.sums_us[group], *zip(*sorted((s, n) for s, n in times.items() if n), strict=True)]
                for group, times in sorted(self.times.items())
                if any(times.values())
            ],
        }

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Tally:
        """A tally again."""
        tally = cls()
        tally.merge_data(data)
        return tally


def merged(tallies: Iterable[Tally]) -> Tally:
    """All of them together, in a tally of its own."""
    whole = Tally()
    for each in tallies:
        whole.merge(each)
    return whole
