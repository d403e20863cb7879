"""One plan that several sources hold, shown once; plans that disagree stay apart.

A crisis plan often comes from the trust that wrote it and from a shared record. It is the same if person, kind, author
organisation, start and review date and every word are the same, judged by keyed hashes without opening either. One word
of difference is a disagreement: then both are shown, newest first (docs/safety/rules.md, 7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Protocol, TypeVar

from careplans.kinds import PlanKind
from careplans.model import HasPersonKeys, same_person


class Comparable(HasPersonKeys, Protocol):
    """The clear half of a stored plan."""

    @property
    def kind(self) -> PlanKind: ...
    @property
    def source(self) -> str: ...
    @property
    def author_org(self) -> str: ...
    @property
    def valid_from(self) -> date: ...
    @property
    def content_key(self) -> str | None: ...


T = TypeVar("T")


def same_plan(one: Comparable, other: Comparable) -> bool:
    """Whether two stored plans are the same; the review date is part of ``content_key``."""
    return (
        one.content_key is not None
        and one.content_key == other.content_key
        and (one.kind, one.author_org, one.valid_from) == (other.kind, other.author_org, other.valid_from)
        and same_person(one, other)
    )


def fold(items: Sequence[T], clear: Callable[[T], Comparable]) -> list[tuple[T, tuple[str, ...]]]:
    """Each plan once, in the order given, with the names of the other sources that hold it, too.

    ``clear`` gives the clear half of an item. Two plans of one source are never one: it calls them two.
    """
    kept: list[tuple[T, list[str]]] = []
    for item in items:
        plan = clear(item)
        for first, also in kept:
            if plan.source not in (clear(first).source, *also) and same_plan(clear(first), plan):
                also.append(plan.source)
                break
        else:
            kept.append((item, []))
    return [(item, tuple(also)) for item, also in kept]
