"""From time to time: which stored plans has a FHIR server deleted, without a word of it where changes are asked for?

Asked by id, in portions, so that nothing is missed while the server's pages move. What a search no longer finds is
asked for itself: only what the server then says is gone (404, 410) is withdrawn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from careplans.rows import Row
from careplans.sources.model import Batch, Stored
from infra.clock import Clock

PORTION = 100
"""Ids in one search: an address of some 4,000 characters, which every server takes."""


class Cursor(Protocol):
    """The half of the source's cursor that is used here. ``checking``: after which stored plan it goes on."""

    rechecked: str
    checking: str

    def written(self) -> str: ...


class Server(Protocol):
    """The server, asked in the source's own way: patient, with its key."""

    async def still_found(self, resource: str, ids: Sequence[str]) -> frozenset[str]: ...
    async def is_gone(self, resource: str, its_id: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Recheck:
    """When it is due, and what is stored: ``known`` gives the next :data:`PORTION` after a row, none at the end."""

    known: Callable[[str, int], Awaitable[Sequence[Stored]]] = field(repr=False)
    clock: Clock
    every: timedelta

    def is_due(self, at: Cursor) -> bool:
        """Whether one was begun, or the last is too long ago."""
        now = self.clock.now()
        return bool(at.checking or not at.rechecked) or now - datetime.fromisoformat(at.rechecked) >= self.every

    async def batches(self, server: Server, resources: Sequence[str], at: Cursor) -> AsyncIterator[Batch]:
        """One delivery: what is gone, portion by portion. Nothing where nothing is stored.

        Where it is asked in each run, and nothing is gone, there is no delivery: none is written down for nothing.
        """
        is_first = not at.checking
        while stored := await self.known(at.checking, PORTION):
            gone = [each for resource in resources for each in await _gone(server, resource, stored)]
            at.checking = stored[-1].row
            if gone or self.every or not is_first:
                yield Batch(tuple(_withdrawn(each) for each in gone), at.written(), is_first, last=False)
                is_first = False
        if not is_first:
            at.checking, at.rechecked = "", self.clock.now().isoformat()
            yield Batch((), at.written(), first=False, last=True)
        at.checking = ""


async def _gone(server: Server, resource: str, stored: Sequence[Stored]) -> list[Stored]:
    """Those of this type that the server says are gone."""
    of_type = f"{resource}/"
    by_id = {each.plan_id.removeprefix(of_type): each for each in stored if each.plan_id.startswith(of_type)}
    if not by_id:
        return []
    missed = by_id.keys() - await server.still_found(resource, sorted(by_id))
    return [by_id[each] for each in sorted(missed) if await server.is_gone(resource, each)]


def _withdrawn(stored: Stored) -> Row:
    return Row(0, {"plan_id": stored.plan_id, "version": str(stored.version), "withdrawn": "yes"})
