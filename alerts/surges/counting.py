"""The reader that counts: events of calls into quarter-hours, each call once, whatever comes twice or late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from alerts.surges.calls import HEARD, SEALED, cells, heard, together
from alerts.surges.indicators import Indicators
from alerts.surges.model import Cell, CountedCall
from alerts.surges.tables import surge_calls, surge_counts
from infra.bus import Entry, EventStream
from infra.changes import change_each
from infra.clock import Clock
from infra.sql import Database

REMEMBERED = timedelta(days=8)
"""How long a call's own line is kept. What is told of it later changes nothing; no stream holds an event that long."""

WITHOUT_WORDS = timedelta(minutes=1)
"""How long what is said under seal may wait for the journal to tell it; then the call counts without."""

Opened = Callable[[Entry], Awaitable[Collection[str] | None]]
"""What an event says under seal: a red flag's category, reasons, an age band. None while the journal lacks it."""

log = structlog.get_logger()

_NEW_CALL = insert(surge_calls)
_KNOWN_CALL = update(surge_calls).where(surge_calls.c.call == bindparam("ref"))


def _added(insert: Any) -> Any:
    """An INSERT that adds to the cell that is there."""
    more = {name: surge_counts.c[name] + insert.excluded[name] for name in ("demand", "deflected")}
    return insert.on_conflict_do_update(index_elements=list(surge_counts.primary_key), set_=more)


_ADDED = {"sqlite": _added(sqlite.insert(surge_counts)), "postgresql": _added(postgresql.insert(surge_counts))}


@dataclass(frozen=True, slots=True)
class _Heard:
    call: str
    entry: Entry
    told: Collection[str]
    resumes: str


class SurgeCounter:
    """Reads the event stream as the group ``surges``. Several at once, or one that begins again, count nothing twice.

    ``hidden`` makes a keyed hash of a call's reference: the table of calls names none.
    """

    GROUP = "surges"
    BATCH = 500

    def __init__(
        self,
        stream: EventStream,
        database: Database,
        indicators: Indicators,
        clock: Clock,
        *,
        hidden: Callable[[str], str],
        opened: Opened,
    ) -> None:
        self._stream = stream
        self._database = database
        self._indicators = indicators
        self._clock = clock
        self._hidden = hidden
        self._opened = opened

    async def join(self) -> None:
        """Become a reader: calls that begin from here on are counted."""
        await self._stream.join(self.GROUP)

    async def step(self, wait_s: float) -> int:
        """Count what is new, at most one batch; returns how many entries were read.

        An entry whose words the journal cannot tell yet is left for the next step, with all after it.
        """
        batch = await self._stream.read(self.GROUP, limit=self.BATCH, wait_s=wait_s)
        known, done = [], []
        for position, entry in batch:
            told = await self._told(entry)
            if told is None:
                break
            done.append(position)
            if entry.kind in HEARD:
                first = entry.facts.get("resumes")
                resumes = self._hidden(str(first)) if first else ""
                known.append(_Heard(self._hidden(entry.call_ref), entry, told, resumes))
        if known:
            await self._database.write(lambda connection: self._count(connection, known))
        if done:
            await self._stream.acknowledge(self.GROUP, done)
        return len(done)

    async def forget(self) -> int:
        """Let the lines of old calls go; their counts stay. Returns how many."""
        old = delete(surge_calls).where(surge_calls.c.seen_at < self._clock.now() - REMEMBERED)
        return await self._database.write(lambda connection: connection.execute(old).rowcount)

    async def _told(self, entry: Entry) -> Collection[str] | None:
        if entry.kind not in SEALED:
            return ()
        found = await self._opened(entry)
        if found is None and self._clock.now() - entry.at >= WITHOUT_WORDS:
            log.error("signal_not_counted", kind=entry.kind, call_ref=entry.call_ref)
            return ()
        return found

    def _count(self, connection: Connection, batch: list[_Heard]) -> None:
        before = _calls(connection, {each.call for each in batch} | {each.resumes for each in batch if each.resumes})
        oldest, after, seen = self._clock.now() - REMEMBERED, dict(before), dict[str, datetime]()
        for each in batch:
            if each.call not in after and each.entry.at < oldest:
                log.warning("surge_event_too_late", kind=each.entry.kind)  # its line may be gone: it may be counted
                continue
            call = after.get(each.call, CountedCall())
            after[each.call] = heard(call, each.entry, self._indicators, each.told, each.resumes)
            seen[each.call] = max(each.entry.at, seen.get(each.call, each.entry.at))
        lines = [(ref, _line(after[ref], at)) for ref, at in seen.items()]
        # two that tell of a new call at once: the second fails, and reads the batch again
        change_each(connection, _NEW_CALL, [{"call": ref, **line} for ref, line in lines if ref not in before])
        change_each(connection, _KNOWN_CALL, [{"ref": ref, **line} for ref, line in lines if ref in before])
        _add(connection, _difference(before, after, self._indicators))


def _calls(connection: Connection, refs: set[str]) -> dict[str, CountedCall]:
    """What is known of these calls and of all others of the same contacts.

    On PostgreSQL nobody else changes it before this transaction ends.
    """
    at = surge_calls.c
    resumed = select(at.resumes).where(at.call.in_(sorted(refs)), at.resumes != "")
    firsts = sorted(refs.union(connection.execute(resumed).scalars()))
    query = select(surge_calls).where(at.call.in_(firsts) | at.resumes.in_(firsts)).with_for_update()
    return {
        row.call: CountedCall(
            row.quarter, row.menu, row.lexicon, row.reasons, row.area, row.age, row.end_class,
            frozenset(filter(None, row.signals.split(","))), row.resumes,
        )
        for row in connection.execute(query)
    }  # fmt: skip


def _contacts(calls: Mapping[str, CountedCall]) -> list[CountedCall]:
    """Each caller once. Where nobody has told of the first call (its worker died) the next stands for it."""
    contacts: dict[str, list[CountedCall]] = {}
    # always in the same order, so that what was counted is what is taken away again
    for ref, call in sorted(calls.items(), key=lambda each: (bool(each[1].resumes), each[1].quarter or 0, each[0])):
        contacts.setdefault(call.resumes or ref, []).append(call)
    return [together(first, others) for first, *others in contacts.values()]


def _line(call: CountedCall, at: datetime) -> dict[str, Any]:
    return {
        "seen_at": at,
        "quarter": call.quarter,
        "area": call.area,
        "menu": call.menu,
        "lexicon": call.lexicon,
        "reasons": call.reasons,
        "age": call.age,
        "signals": ",".join(sorted(call.signals)),
        "end_class": call.end_class,
        "resumes": call.resumes,
    }


def _difference(
    before: Mapping[str, CountedCall], after: Mapping[str, CountedCall], indicators: Indicators
) -> dict[Cell, tuple[int, int]]:
    demand: Counter[Cell] = Counter()
    deflected: Counter[Cell] = Counter()
    for times, calls in ((1, after), (-1, before)):
        for call in _contacts(calls):
            for cell, (one, kept) in cells(call, indicators).items():
                demand[cell] += times * one
                deflected[cell] += times * kept
    return {cell: (demand[cell], deflected[cell]) for cell in demand if demand[cell] or deflected[cell]}


def _add(connection: Connection, changes: Mapping[Cell, tuple[int, int]]) -> None:
    # always in the same order, so that two who count at once do not wait for each other for ever
    ordered = sorted(changes, key=lambda each: (each.quarter, each.signal, each.area, each.version))
    change_each(connection, _ADDED[connection.dialect.name], _rows((cell, *changes[cell]) for cell in ordered))


def _rows(counted: Iterable[tuple[Cell, int, int]]) -> list[dict[str, Any]]:
    return [
        {
            "quarter": cell.quarter,
            "signal": cell.signal,
            "area": cell.area,
            "version": cell.version,
            "demand": demand,
            "deflected": deflected,
        }
        for cell, demand, deflected in counted
    ]
