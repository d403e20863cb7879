"""The pipeline behind every source: read, check, store, withdraw; each batch one transaction with its cursor.

Killed between any two statements, the next run goes on from the last batch that was stored: nothing is done twice and
nothing half. What is withdrawn is judged at the end of a delivery, when it is known whether it is too much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from careplans.audit.trail import AuditTrail
from careplans.errors import PlanStoreFailed, PlanUnreadable
from careplans.fitting import require_fitting_keys
from careplans.model import RowFault, Viewer, london_date
from careplans.rows import Row, read_id
from careplans.screening import BadRow, Screened, double_fault, screen
from careplans.scrubbing import Pages, Scrubber, lying
from careplans.sealing import Sealer
from careplans.sources import ledger
from careplans.sources.discards import Discarded, WhyDiscarded, discard, discarded
from careplans.sources.errors import NoSuchRun
from careplans.sources.ledger import Ledger
from careplans.sources.model import (
    MOST_FAULTS,
    Batch,
    Delivered,
    Freshness,
    PlanSource,
    Quarantined,
    RunReport,
    RunState,
    Sender,
    Stored,
)
from careplans.sources.partial import keep_numbers, stored_in_part
from careplans.sources.quarantine import Quarantine, quarantined
from careplans.sources.refusals import with_refused
from careplans.sources.tables import plan_quarantine
from careplans.withdrawing import withdraw_plans
from careplans.writing import Restriction, restrict_plans, write_plans
from infra.clock import Clock
from infra.crypto import KeyRing, SealError
from infra.sql import Database

log = structlog.get_logger()

ALL = 1.0
"""The share that a person's decision allows to withdraw."""


class _TooMany(Exception):
    """Rolls back a withdrawal that a person must decide on."""

    def __init__(self, why: str, would: int, in_force: int) -> None:
        super().__init__(why)
        self.why = why
        self.would = would
        self.in_force = in_force


@dataclass(slots=True)
class _Said:
    """What was wrong or odd in the deliveries of one call, by run."""

    refused: dict[int, list[RowFault]] = field(default_factory=dict)
    odd: dict[int, list[RowFault]] = field(default_factory=dict)

    def add(self, run: int, screened: Screened) -> None:
        for kept, faults in ((self.refused, screened.refused), (self.odd, screened.warnings)):
            held = kept.setdefault(run, [])
            held += faults[: MOST_FAULTS - len(held)]


class PlanRuns:
    """Runs sources into the store. One process at a time may run a source; others may look meanwhile."""

    def __init__(self, database: Database, keyring: KeyRing, clock: Clock, audit: AuditTrail | None = None) -> None:
        self._database = database
        self._audit = audit or AuditTrail(database, keyring, clock)
        self._sealer = Sealer(keyring)
        self._ledger = Ledger(keyring, self._sealer)
        self._quarantine = Quarantine(keyring)
        self._clock = clock
        self.scrubber = Scrubber(database)

    async def run(self, sender: Sender, source: PlanSource) -> list[Delivered]:
        """Take all that is new from ``source``; one report for each delivery, none if there was nothing.

        Raises :class:`careplans.sources.errors.SourceError` where the source fails and
        :class:`careplans.errors.PlanStoreFailed` where the database does; what was stored stands, and the next call
        goes on from there. Nothing is read, and :class:`careplans.errors.KeysDoNotFit` raised, where plans are stored
        under other keys.
        """
        said, done = _Said(), []
        with _store_errors():
            await self._database.read(partial(require_fitting_keys, sealer=self._sealer))
            await self._settle_open(sender)
            cursor = await self._database.read(partial(self._ledger.cursor, source=sender.name))
            async for batch in source.read(cursor):
                run = await self._take(sender, batch, said)
                if run.state is RunState.READ and (settled := await self._settle_open(sender)) is not None:
                    done.append(settled)
            await self._database.write(partial(self._ledger.note_read, source=sender.name, now=self._clock.now()))
        return [Delivered(run, tuple(said.refused.get(run.id, ())), tuple(said.odd.get(run.id, ()))) for run in done]

    async def release(self, run: int) -> RunReport:
        """A person decided: what the held run withdraws is withdrawn. Raises :class:`NoSuchRun`."""
        with _store_errors():
            return await self._database.maintain(partial(self._release, run=run))

    async def refuse(self, run: int) -> RunReport:
        """A person decided: nothing of what the held run withdraws is withdrawn. Raises :class:`NoSuchRun`."""
        with _store_errors():
            return await self._database.write(partial(self._refuse, run=run))

    async def runs(self, source: str | None = None, most: int = 20) -> list[RunReport]:
        """The newest runs, of one source or of all."""
        with _store_errors():
            return await self._database.read(partial(ledger.runs, source=source, most=most))

    async def read_at(self, source: str) -> datetime | None:
        """When the source was last read to its end; None: never."""
        with _store_errors():
            return await self._database.read(partial(ledger.read_at, source=source))

    async def delivered_at(self, source: str) -> datetime | None:
        """When the newest delivery of the source began that was read to its end; None: there was none."""
        with _store_errors():
            return await self._database.read(partial(ledger.delivered_at, source=source))

    async def known(self, system: str, after: str, most: int) -> list[Stored]:
        """The plans in force of one system, ``most`` at most, after this row; raises :class:`PlanUnreadable`."""
        with _store_errors():
            sealed = await self._database.read(partial(ledger.in_order, system=system, after=after, most=most))
            return await asyncio.to_thread(ledger.opened, self._sealer, sealed)

    async def freshness(self, source: str | None = None) -> list[Freshness]:
        """How fresh each source is that was ever read, or this one."""
        with _store_errors():
            return await self._database.read(partial(ledger.freshness, source=source, now=self._clock.now()))

    async def held(self, source: str) -> bool:
        """Whether a run of the source waits for a person."""
        with _store_errors():
            return await self._database.read(partial(ledger.is_held, source=source))

    async def quarantined(self, source: str | None = None, most: int = MOST_FAULTS) -> list[Quarantined]:
        """What could not be read and has not come again right, newest first."""
        with _store_errors():
            return await self._database.read(partial(quarantined, source=source, most=most))

    async def discard(self, record: str, why: WhyDiscarded, viewer: Viewer) -> bool:
        """See :func:`careplans.sources.discards.discard`: what cannot be entered in the audit is not destroyed."""
        pages: Pages = {}

        def destroyed(connection: Connection) -> bool:
            pages.update(lying(connection, {plan_quarantine.c.id: [record]}))
            return discard(connection, self._audit, record, why, viewer)

        found = await self._audit.within(destroyed)
        if found:
            await self.scrubber.scrub(pages)
        return found

    async def discarded(self, source: str | None = None, most: int = MOST_FAULTS) -> list[Discarded]:
        """What people have taken out of the quarantine, newest first."""
        with _store_errors():
            return await self._database.read(partial(discarded, source=source, most=most))

    async def _take(self, sender: Sender, batch: Batch, said: _Said) -> RunReport:
        """Store one batch with its cursor."""
        if batch.unasked is not None:
            log.warning("plan_source_unasked", source=sender.name, question=batch.unasked.field)
        if batch.first:
            await self._settle_open(sender, cut_short=True)
        now = self._clock.now()
        screened = await asyncio.to_thread(_screened, batch, london_date(now), sender.system)
        work = partial(self._store, sender=sender, batch=batch, screened=screened, now=now)
        run, taken = await self._database.write(work)
        said.add(run.id, taken)
        return run

    def _store(
        self, connection: Connection, sender: Sender, batch: Batch, screened: Screened, now: datetime
    ) -> tuple[RunReport, Screened]:
        run = ledger.open_run(connection, sender.name) or ledger.begin_run(connection, sender, batch.whole, now)
        screened = keep_numbers(connection, self._sealer, screened)
        completed = self._quarantine.completed(connection, sender.name, run.id, screened.whole)
        written = write_plans(connection, self._sealer, screened.plans, now, completed)
        taken, seen_to = with_refused(connection, self._sealer, screened)
        taken = self._without_doubles(connection, run.id, taken, batch, sender.system)
        restrict_plans(connection, self._sealer, _restrictions(taken.bad, sender.system))
        self._ledger.note_gone(connection, run.id, taken.gone)
        self._quarantine.release(connection, sender.name, [*taken.whole, *taken.gone, *seen_to])
        self._quarantine.release_question(connection, sender.name, batch.answered)
        keep = partial(self._quarantine.keep, connection, sender.name, sender.system, run.id, now=now)
        keep(bad=taken.bad)
        keep(bad=stored_in_part(connection, self._sealer, taken), loaded=True)
        run = replace(
            run,
            state=RunState.READ if batch.last else RunState.RUNNING,
            why=batch.why,
            whole=run.whole and batch.broken is None,
            records=run.records + len(batch.rows),
            imported=run.imported + written.imported,
            updated=run.updated + written.updated,
            unchanged=run.unchanged + written.unchanged - (len(screened.good) - len(taken.good)),
            refused=run.refused + len(taken.bad),
            nameless=run.nameless + sum(_is_nameless(each, sender.system) for each in taken.bad),
            warnings=run.warnings + len(taken.warnings),
            ignored=run.ignored + batch.ignored,
        )
        ledger.note_run(connection, run)
        self._ledger.move(connection, sender.name, batch.cursor, run.id)
        return run, taken

    def _without_doubles(
        self, connection: Connection, run: int, screened: Screened, batch: Batch, system: str | None
    ) -> Screened:
        """Note what the run has met; a plan that it met before in the same version is a copy that nobody finished."""
        named = [(bad, read_id(bad.row.values, system)) for bad in screened.bad]
        unread = [(known.source, known.plan_id) for _, known in named if known.plan_id is not None]
        ids = [(each.plan.source, each.plan.plan_id) for each in screened.good]
        rows = ledger.rows_of(connection, self._sealer, [*ids, *unread])
        met = {
            (rows[each.plan.source, each.plan.plan_id], each.plan.version): each.line
            for each in screened.good
            if (each.plan.source, each.plan.plan_id) in rows  # else withdrawn since, by a newer version
        }
        unmissed = {ledger.unread(rows[each]): 0 for each in unread if each in rows}
        before = ledger.note_seen(connection, run, met | unmissed)
        lines = {met[each]: line for each, line in before.items() if each in met}
        doubles = [BadRow(row, (double_fault(row.line, lines[row.line]),)) for row in batch.rows if row.line in lines]
        good = tuple(each for each in screened.good if each.line not in lines)
        return Screened(good, screened.gone, (*screened.bad, *doubles))

    async def _settle_open(self, sender: Sender, *, cut_short: bool = False) -> RunReport | None:
        """Settle a delivery that was read to its end, or, ``cut_short``, one whose end will never come.

        What that one named as withdrawn was said by its source, and holds; what it lacked means nothing.
        """
        run = await self._database.read(partial(ledger.open_run, source=sender.name))
        if run is not None and cut_short and run.state is RunState.RUNNING:
            run = replace(run, state=RunState.READ, whole=False, why="cut_short")
            await self._database.write(partial(ledger.note_run, run=run))
        if run is None or run.state is not RunState.READ:
            return None
        try:
            return await self._database.write(partial(self._withdraw, run=run, share=sender.most_withdrawn))
        except _TooMany as much:
            held = replace(run, state=RunState.HELD, why=much.why, would_withdraw=much.would, in_force=much.in_force)
            log.warning("plan_run_held", source=sender.name, run=run.id, why=much.why, would_withdraw=much.would)
            return await self._database.write(partial(self._end, run=held))

    def _withdraw(self, connection: Connection, run: RunReport, share: float) -> RunReport:
        """Withdraw all that the run withdraws, or raise :class:`_TooMany` and nothing of it."""
        system = ledger.system_of(connection, run.id)
        in_force = ledger.in_force(connection, run.id, system)
        lacking = ledger.lacking(connection, run.id, system) if run.whole and system is not None else 0
        if share < ALL and lacking and run.nameless:
            raise _TooMany("nameless", lacking, in_force)  # one of the nameless may be one that seems to lack
        if lacking > share * in_force:
            raise _TooMany("too_many", lacking, in_force)
        gone = self._ledger.withdrawals(connection, run, system)
        now = self._clock.now()
        done = sum(withdraw_plans(connection, self._sealer, each, gone[each], now) for each in gone)
        if done > share * in_force:
            raise _TooMany("too_many", done, in_force)
        return self._end(connection, replace(run, state=RunState.DONE, withdrawn=done, in_force=in_force))

    def _end(self, connection: Connection, run: RunReport) -> RunReport:
        """The run is settled, or waits for a person: its source may go on."""
        run = replace(run, ended_at=self._clock.now())
        ledger.note_run(connection, run)
        ledger.close_run(connection, run)
        if run.state is not RunState.HELD:
            ledger.forget_run(connection, run.id)
        if run.whole:
            ledger.supersede(connection, run)
            self._quarantine.forget_nameless(connection, run.source, run.id)
        return run

    def _release(self, connection: Connection, run: int) -> RunReport:
        return self._withdraw(connection, _held(connection, run), ALL)

    def _refuse(self, connection: Connection, run: int) -> RunReport:
        return self._end(connection, replace(_held(connection, run), state=RunState.REFUSED))


def _held(connection: Connection, run: int) -> RunReport:
    found = ledger.run_of(connection, run)
    if found is None or found.state is not RunState.HELD:
        raise NoSuchRun("no run of this number waits for a decision")
    return found


def _screened(batch: Batch, today: date, system: str | None) -> Screened:
    screened = screen(batch.rows, today, system)
    bad = list(screened.bad)
    if (fault := batch.broken) is not None:
        bad.append(BadRow(Row(fault.line, {}, fault.reason), (fault,)))
    if (fault := batch.unasked) is not None:
        # one line for each question, however it is refused
        bad.append(BadRow(Row(fault.line, {}, fault.field), (fault,)))
    return replace(screened, bad=tuple(bad))


def _restrictions(bad: Sequence[BadRow], system: str | None) -> list[Restriction]:
    """Plans of which a record says that they are restricted, though nothing else in it may be right."""
    named = [read_id(each.row.values, system) for each in bad]
    return [Restriction(of.source, of.plan_id, of.version) for of in named if of.plan_id is not None and of.restricted]


def _is_nameless(bad: BadRow, system: str | None) -> bool:
    return read_id(bad.row.values, system).plan_id is None


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        log.error("plan_run_failed", error=type(error).__name__)
        raise PlanStoreFailed("the plan database did not answer; the next run goes on from there") from error
    except SealError as error:
        raise PlanUnreadable("what was kept of this source does not open with this key ring") from error
