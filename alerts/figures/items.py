"""What is counted of calls, by item code, and the values in which it is told. No I/O.

The codes are those of the IUC aggregate data collection; what each counts is said in docs/alerts.md, Figures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias, cast, get_args

PROBE_FLOW = "probe"
"""The flow of the auditor's own calls: a call is a probe if, and only if, its ``offered`` event names this flow."""

PROBE_PROVIDER = "auditor"
"""The reserved provider of probes. Figures of ``provider:auditor`` are for rules only: they are never published."""

ScopeKind = Literal["total", "provider", "service", "area"]
Clock = Literal["offered", "message_end"]
"""From when a caller's time counts: from the offer to the service, or from the end of what it played to them."""

CLOCKS: tuple[Clock, ...] = get_args(Clock)
NOWHERE = "unknown"
"""The area of a caller of whom nothing tells one, the service of one who has not asked for any."""

IN_PROGRESS = "in_progress"
NOT_TAKEN = "not_taken"
"""Of a provider's offers only: it failed, or the caller was put on to another; the call itself has another class."""

CLASSES = (
    "answered", "answer_unknown", "abandoned", "left_in_message", "deflected", "self_served", "served_elsewhere",
    "call_back", "dropped_by_us", IN_PROGRESS,
)  # fmt: skip
"""Each call is in exactly one of these (docs/safety/rules.md, 8), a provider's offer in one of these or
:data:`NOT_TAKEN`, so that item A01 is their sum."""


class Scope(NamedTuple):
    """Whose figures: the whole service, or one provider, service or area by its id. Its text: ``provider:kings``.

    A tuple, since it is looked up several times for every call, and a tuple's hash costs a tenth of a dataclass's.
    """

    kind: ScopeKind
    id: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind

    @classmethod
    def read(cls, text: str) -> Scope:
        """The scope of a text; raises ValueError for one that names none."""
        kind, _, name = text.partition(":")
        if kind not in get_args(ScopeKind) or (kind == "total") == bool(name):
            raise ValueError("a scope is total, provider:ID, service:ID or area:ID")
        return cls(cast(ScopeKind, kind), name)


TOTAL = Scope("total")
PROBES = Scope("provider", PROBE_PROVIDER)


@dataclass(frozen=True, slots=True)
class Item:
    """One figure. ``mark``: V read in a primary source, S in a secondary one, U unverified, empty for our own.

    ``of_the_past``: its title where it is read from the history, if that counts otherwise.
    """

    code: str
    title: str
    unit: Literal["calls", "seconds"]
    mark: Literal["V", "S", "U", ""]
    of_the_past: str = ""


ITEMS: Mapping[str, Item] = {
    each.code: each
    for each in (
        Item("A01", "Calls received", "calls", "V"),
        Item("A02", "Calls routed through the IVR", "calls", "V"),
        Item("A03", "Calls answered by an agent", "calls", "V"),
        Item("B01", "Answered within 60 s", "calls", "V"),
        Item("B02", "Calls abandoned", "calls", "V"),
        Item("B03", "Abandoned within 30 s", "calls", "V"),
        Item("B04", "Abandoned after 30 s, within 60 s", "calls", "V"),
        Item("B05", "Abandoned after 60 s", "calls", "V"),
        Item("B06", "Total time to answer", "seconds", "S"),
        Item("B07", "95th centile of time to answer", "seconds", "S"),
        Item("B07_ALL", "95th centile of time to answer or give up, those who wait counted at their time so far",
             "seconds", "", "95th centile of time to answer or give up, without those who still wait"),
        Item("B09", "Total time of abandoned calls", "seconds", "S"),
        Item("D13", "Offered a call-back by a clinician within 20 minutes", "calls", "S"),
        Item("D14", "Of D13, called back within 20 minutes", "calls", "S"),
        Item("D14_60M", "Of D13, called back late: after 20 minutes, within 60", "calls", ""),
        Item("D14_LATER", "Of D13, called back late: after 60 minutes", "calls", ""),
        Item("D15", "Offered a call-back by a clinician after 20 minutes, within 1 hour", "calls", "S"),
        Item("D16", "Of D15, called back within 1 hour", "calls", "S"),
        Item("D17", "Offered a call-back by a clinician after 1 hour", "calls", "S"),
        Item("D18", "Of D17, called back in the time that was offered", "calls", "S"),
        Item("RECONTACT_BASE", "Sent elsewhere or left with a message, by a known number", "calls", ""),
        Item("RECONTACT_1H", "Of these, who rang again within 1 hour", "calls", ""),
        Item("RECONTACT_24H", "Of these, who rang again within 24 hours", "calls", ""),
        Item("RECONTACT_72H", "Of these, who rang again within 72 hours", "calls", ""),
    )
}  # fmt: skip
"""Items of re-contact are of the past only; by message and version :mod:`alerts.figures.recontact` tells them."""

OF_CALL_BACKS = frozenset({"D13", "D14", "D14_60M", "D14_LATER", "D15", "D16", "D17", "D18"})
"""Only of call-backs that were promised through us (:mod:`alerts.figures.call_backs`), and only where any was."""

PUBLISHED = tuple(code for code, item in ITEMS.items() if item.mark)
"""Items of the national collection; the others are our own and leave the house in no contract report."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """How many calls took how long, by whole second. A second that has begun counts, so that 60.2 s is not within 60.

    Merging is adding: the centile of a sum is that of all its calls, which no average of centiles is.
    """

    counts: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seconds: Iterable[int]) -> Seconds:
        """From each call's seconds."""
        return cls(Counter(seconds))

    @property
    def total(self) -> int:
        """How many calls are counted."""
        return sum(self.counts.values())

    def add(self, second: int, calls: int = 1) -> Seconds:
        """These and ``calls`` more that took ``second``."""
        return Seconds({**self.counts, second: self.counts.get(second, 0) + calls})

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds({each: self.counts.get(each, 0) + other.counts.get(each, 0)
                        for each in {*self.counts, *other.counts}})  # fmt: skip

    def within(self, bound: int) -> int:
        """How many took at most ``bound`` seconds: the bound is included (docs/safety/rules.md, 8)."""
        return sum(calls for second, calls in self.counts.items() if second <= bound)

    def centile(self, share: float) -> int | None:
        """The smallest second within which at least ``share`` of the calls lie; None of no calls.

        That is the nearest rank, the ceil(share × n)-th of n in order: definition 1 of Hyndman and Fan, Sample
        quantiles in statistical packages, The American Statistician 50 (1996). Raises ValueError unless
        0 < share ≤ 1.
        """
        if not 0 < share <= 1:
            raise ValueError("a centile is of a share above 0 and up to 1")
        # 0.95 × 20 is 19.000000000000004 or 18.999…: a rank that is whole on paper must not slip by one
        rank = math.ceil(round(share * self.total, 9))
        for second in sorted(self.counts):
            rank -= self.counts[second]
            if rank <= 0 and self.counts[second]:
                return second
        return None


Values: TypeAlias = Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpis:
    """The figures of one scope for the calls of a stretch of time, under one clock.

    A call belongs to the time of its offer to the service; in a provider's figures, of its first offer to that
    provider. ``start`` and ``end`` (not included) are UTC. ``values`` has every code of :data:`ITEMS`; None is "not
    known" or "not collected" and never 0. ``seconds``: times to answer of those whom an agent answered; ``waits``: of
    everybody who wanted a person, until the answer, the end, or now. ``held``: what stands in place of items and end
    classes that are not told (:mod:`alerts.figures.small_numbers`); None where every count is.
    """

    scope: Scope
    name: str
    start: datetime
    end: datetime
    clock: Clock
    ends: Mapping[str, int]
    values: Values
    seconds: Seconds
    waits: Seconds
    held: Mapping[str, str] | None = None

    def of(self, code: str) -> float | None:
        """One value; raises KeyError for a code that is no item."""
        return self.values[code]


def with_values(told: Iterable[Kpis], more: Mapping[Scope, Values]) -> tuple[Kpis, ...]:
    """The same figures, those of each scope with ``more`` values of it."""
    return tuple(
        replace(each, values={**each.values, **more[each.scope]}) if each.scope in more else each for each in told
    )
