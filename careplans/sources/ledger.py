"""How far each source was read and what became of its runs, in the transaction of whoever calls."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from careplans.rows import Gone
from careplans.sealing import Sealed, Sealer
from careplans.sources.model import Freshness, RunReport, RunState, Sender, Stored
from careplans.sources.tables import plan_run_gone, plan_run_seen, plan_runs, plan_sources
from careplans.tables import plans
from careplans.withdrawing import Withdrawal, live_count
from infra.crypto import KeyRing
from infra.sql import insert_once

_UNREAD_VERSION = -1  # of a refused record whose plan is stored: it is not missing


class Ledger:
    """The rows of ``plan_sources`` and ``plan_runs``, and what a run has met and withdraws."""

    def __init__(self, keyring: KeyRing, sealer: Sealer) -> None:
        self._keyring = keyring
        self._sealer = sealer

    def cursor(self, connection: Connection, source: str) -> str:
        """Where reading goes on; empty: at the start. Raises SealError under another key ring."""
        row = _source(connection, source)
        return "" if row is None else self._keyring.unwrap(row.wrapped_key).open(row.cursor, _about(source)).decode()

    def move(self, connection: Connection, source: str, cursor: str, run: int | None) -> None:
        """Keep how far the source was read, and which run is not finished."""
        key = self._keyring.new_data_key()
        values = {"wrapped_key": key.wrapped, "cursor": key.seal(cursor.encode(), _about(source)), "run": run}
        if _source(connection, source) is None:
            connection.execute(insert(plan_sources).values(name=source, **values))
        else:
            connection.execute(update(plan_sources).where(plan_sources.c.name == source).values(**values))

    def note_read(self, connection: Connection, source: str, now: datetime) -> None:
        """All that there was has been read, if only nothing."""
        if _source(connection, source) is None:
            self.move(connection, source, "", None)
        connection.execute(update(plan_sources).where(plan_sources.c.name == source).values(read_at=now))

    def note_gone(self, connection: Connection, run: int, gone: Sequence[Gone]) -> None:
        """Keep what the run withdraws until it is judged."""
        rows = []
        for each in gone:
            row = secrets.token_hex(16)
            sealed = self._sealer.seal_reference(row, each.plan_id)
            clear = {"id": row, "run": run, "system": each.source, "version": each.version}
            rows.append(clear | {"wrapped_key": sealed.wrapped_key, "reference": sealed.person})
        if rows:
            connection.execute(insert(plan_run_gone), rows)

    def withdrawals(self, connection: Connection, run: RunReport, system: str | None) -> dict[str, list[Withdrawal]]:
        """What the run withdraws, by system: what it named, and for a full list what it lacked."""
        found: dict[str, list[Withdrawal]] = defaultdict(list)
        for row in connection.execute(select(plan_run_gone).where(plan_run_gone.c.run == run.id)):
            plan_id = self._sealer.open_reference(row.id, Sealed(row.wrapped_key, row.reference, b""))
            found[row.system].append(Withdrawal(plan_id, row.version))
        if run.whole and system is not None:
            columns = (plans.c.id, plans.c.version, plans.c.wrapped_key, plans.c.person)
            rows = connection.execute(select(*columns).where(*_unseen(run.id, system)))
            found[system] += [self._absent(row) for row in rows]
        return found

    def _absent(self, row: Any) -> Withdrawal:
        plan_id = self._sealer.open_reference(row.id, Sealed(row.wrapped_key, row.person, b""))
        return Withdrawal(plan_id, row.version, absent=True)


def open_run(connection: Connection, source: str) -> RunReport | None:
    """The run of this source that is not finished."""
    row = _source(connection, source)
    return None if row is None or row.run is None else run_of(connection, row.run)


def run_of(connection: Connection, run: int) -> RunReport | None:
    """One run by its number."""
    row = connection.execute(select(plan_runs).where(plan_runs.c.id == run)).first()
    return None if row is None else _report(row)


def begin_run(connection: Connection, sender: Sender, whole: bool, now: datetime) -> RunReport:
    """A new run of this source."""
    values = {"source": sender.name, "system": sender.system, "whole": whole, "why": "", "began_at": now}
    done = connection.execute(insert(plan_runs).values(state=RunState.RUNNING, **values))
    primary = done.inserted_primary_key
    assert primary is not None
    return RunReport(int(primary[0]), sender.name, RunState.RUNNING, "", whole, now, None)


def note_run(connection: Connection, run: RunReport) -> None:
    """Write down how a run stands."""
    values = {name: value for name, value in asdict(run).items() if name != "id"}
    connection.execute(update(plan_runs).where(plan_runs.c.id == run.id).values(**values))


def close_run(connection: Connection, run: RunReport) -> None:
    """The source has no run any more that is not finished, if it was this one."""
    its = (plan_sources.c.name == run.source, plan_sources.c.run == run.id)
    connection.execute(update(plan_sources).where(*its).values(run=None))


def note_seen(connection: Connection, run: int, met: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Note that a run met these (row of a plan, version) on these lines; returns those met before, with their lines."""
    ids = {plan for plan, _ in met}
    query = select(plan_run_seen).where(plan_run_seen.c.run == run, plan_run_seen.c.plan.in_(ids))
    before = {(row.plan, row.version): row.line for row in connection.execute(query)} if ids else {}
    rows = [
        {"run": run, "plan": plan, "version": version, "line": line}
        for (plan, version), line in met.items()
        if (plan, version) not in before
    ]
    if rows:
        connection.execute(insert_once(plan_run_seen, connection.dialect.name), rows)
    return {each: before[each] for each in met if each in before}


def rows_of(connection: Connection, sealer: Sealer, ids: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The rows of the plans in force with these (source, id of the source)."""
    tried = {identity: each for each in ids for identity in sealer.identities(*each)}
    query = select(plans.c.id, plans.c.identity).where(plans.c.identity.in_(tried))
    return {tried[row.identity]: row.id for row in connection.execute(query)} if tried else {}


def unread(row: str) -> tuple[str, int]:
    """What to note of a stored plan of which a run brought a record that cannot be read."""
    return row, _UNREAD_VERSION


def forget_run(connection: Connection, run: int) -> None:
    """What a run met and would withdraw is needed no more."""
    connection.execute(delete(plan_run_seen).where(plan_run_seen.c.run == run))
    connection.execute(delete(plan_run_gone).where(plan_run_gone.c.run == run))


def supersede(connection: Connection, newer: RunReport) -> None:
    """Full lists of before that wait for a decision are out of date."""
    old = select(plan_runs).where(
        plan_runs.c.source == newer.source,
        plan_runs.c.id < newer.id,
        plan_runs.c.state == RunState.HELD,
        plan_runs.c.whole,
    )
    for row in connection.execute(old).all():
        note_run(connection, replace(_report(row), state=RunState.SUPERSEDED, ended_at=newer.ended_at))
        forget_run(connection, row.id)


def in_force(connection: Connection, run: int, system: str | None) -> int:
    """How many plans are in force of the systems whose plans a run withdraws."""
    named = select(plan_run_gone.c.system).where(plan_run_gone.c.run == run).distinct()
    systems = {*connection.execute(named).scalars(), *([system] if system is not None else [])}
    return sum(live_count(connection, each) for each in systems)


def lacking(connection: Connection, run: int, system: str) -> int:
    """How many plans in force of its system a full list lacked."""
    query = select(func.count()).select_from(plans).where(*_unseen(run, system))
    return int(connection.execute(query).scalar_one())


def is_held(connection: Connection, source: str) -> bool:
    """Whether a run of this source waits for a person."""
    query = select(plan_runs.c.id).where(plan_runs.c.source == source, plan_runs.c.state == RunState.HELD).limit(1)
    return connection.execute(query).first() is not None


def read_at(connection: Connection, source: str) -> datetime | None:
    """When the source was last read to its end."""
    row = _source(connection, source)
    return None if row is None else row.read_at


def delivered_at(connection: Connection, source: str) -> datetime | None:
    """When the newest delivery began that was read to its end."""
    whole = (RunState.DONE, RunState.HELD, RunState.REFUSED, RunState.SUPERSEDED)
    query = select(plan_runs.c.began_at).where(
        plan_runs.c.source == source, plan_runs.c.state.in_(whole), plan_runs.c.why.not_in(("broken", "unasked"))
    )
    return connection.execute(query.order_by(plan_runs.c.id.desc()).limit(1)).scalar()


def in_order(connection: Connection, system: str, after: str, most: int) -> list[Row[Any]]:
    """The plans in force of a system by our own ids, after this one, still sealed."""
    columns = (plans.c.id, plans.c.version, plans.c.wrapped_key, plans.c.person)
    query = select(*columns).where(plans.c.source == system, plans.c.id > after).order_by(plans.c.id).limit(most)
    found: list[Row[Any]] = list(connection.execute(query))
    return found


def opened(sealer: Sealer, rows: Sequence[Row[Any]]) -> list[Stored]:
    """The same with the source's own ids."""
    return [
        Stored(row.id, sealer.open_reference(row.id, Sealed(row.wrapped_key, row.person, b"")), row.version)
        for row in rows
    ]


def freshness(connection: Connection, source: str | None, now: datetime) -> list[Freshness]:
    """Of one source or of all, by name."""
    query = select(plan_sources.c.name, plan_sources.c.read_at).order_by(plan_sources.c.name)
    if source is not None:
        query = query.where(plan_sources.c.name == source)
    rows = connection.execute(query).all()
    return [Freshness(row.name, now, row.read_at, delivered_at(connection, row.name)) for row in rows]


def runs(connection: Connection, source: str | None, most: int) -> list[RunReport]:
    """The newest runs, of one source or of all."""
    query = select(plan_runs).order_by(plan_runs.c.id.desc()).limit(most)
    if source is not None:
        query = query.where(plan_runs.c.source == source)
    return [_report(row) for row in connection.execute(query)]


def system_of(connection: Connection, run: int) -> str | None:
    """For which system a run spoke."""
    system: str | None = connection.execute(select(plan_runs.c.system).where(plan_runs.c.id == run)).scalar_one()
    return system


def _source(connection: Connection, source: str) -> Row[Any] | None:
    return connection.execute(select(plan_sources).where(plan_sources.c.name == source)).first()


def _unseen(run: int, system: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    seen = select(plan_run_seen.c.plan).where(plan_run_seen.c.run == run)
    return plans.c.source == system, plans.c.id.not_in(seen)


_REPORTED = {each.name for each in fields(RunReport)}


def _report(row: Row[Any]) -> RunReport:
    values = {name: value for name, value in row._mapping.items() if name in _REPORTED}
    return RunReport(**values | {"state": RunState(row.state)})


def _about(source: str) -> bytes:
    return f"{source}/cursor".encode()
