"""Earlier contacts, kept and looked up: whether this call is a repeat, and whether the line shows distress.

What counts is decided in :mod:`callrouter.repeat.rule`; this is its store. A contact stays for 97 hours, one more than
the rule needs, for a call that is on its way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from callrouter.ports import IsShared, RepeatFound
from callrouter.repeat.asking import ask
from callrouter.repeat.patient import FIVE, NOBODY, Patient, Traits, lookup_keys, traits_of
from callrouter.repeat.rule import Encounter, judge
from callrouter.repeat.tables import encounter_keys, encounters, short_calls
from infra.changes import change_each
from infra.crypto import DataKey, KeyRing, SealError
from infra.numbers import Number
from infra.sql import Database, insert_once

KEPT = timedelta(hours=97)
FORGET_EVERY = timedelta(hours=1)

DISTRESS_WITHIN = timedelta(minutes=10)
DISTRESS_CALLS = 3
"""So many calls of one number that the caller ended before a person answered, within that time (rules.md, 4)."""

_LOCK = 0x43A12  # any number that no other advisory lock of this database has

_SHORT = select(func.count()).where(
    short_calls.c.number_key.in_(bindparam("numbers", expanding=True)),
    short_calls.c.ended_at <= bindparam("until"),
    short_calls.c.ended_at >= bindparam("since"),
)


@dataclass(frozen=True, slots=True)
class EarlierReport:
    """What an earlier report said, for who takes the call. Shown for a repeat caller (RC) only."""

    started: datetime
    doubtful: bool
    provider: str = field(default="", repr=False)
    disposition: str = field(default="", repr=False)
    condition: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Completed:
    """A call of ours in which a person spoke with the caller. ``number``: E.164; ``traits``: of its patient."""

    call_ref: str
    number: str | None = field(repr=False)
    started: datetime
    provider: str = ""
    context: str = ""
    traits: Traits | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class External:
    """A contact that another provider reports: what names it there, whom it was about, what was said of it.

    ``document`` and ``version`` name the report, ``case`` the provider's case, ``context`` our own call, if it does.
    """

    document: str
    version: int
    provider: str
    case: str
    context: str
    patient: Patient
    numbers: tuple[str, ...] = field(repr=False)
    report: EarlierReport


class RepeatCalls:
    """The index of completed encounters, own and external, and of calls that the caller ended early."""

    def __init__(self, database: Database, keys: KeyRing, is_shared: IsShared = lambda _number: False) -> None:
        self._database = database
        self._keys = keys
        self._is_shared = is_shared
        self._insert = insert_once(encounters, database.dialect)
        self._insert_key = insert_once(encounter_keys, database.dialect)
        self._insert_short = insert_once(short_calls, database.dialect)
        self._forget_at = datetime.min.replace(tzinfo=UTC)

    async def find(
        self, number: Number, started: datetime, patient: Patient = NOBODY, *, resumes: str | None = None
    ) -> RepeatFound:
        """Whether a call that started then is a repeat, by what is known of its patient and by its number.

        ``resumes``: the first call of the same contact, which is not counted (docs/safety/rules.md, 4). ER when the
        store fails; IIQ where neither the number nor the patient can be looked up.
        """
        started = started.astimezone(UTC)  # 96 hours on a local clock are 95 or 97 over a clock change
        numbers = (number.e164,) if number.e164 else ()
        caller = [self._traits(patient, numbers, key) for key in range(len(self._keys.index_keys))]
        if not caller[0].may_be_found:
            return RepeatFound("IIQ", "shared_line" if numbers else f"number_{number.kind}")
        keys = [hidden for key, each in enumerate(caller) for _, hidden in lookup_keys(self._keys, each, key=key)]
        hidden_numbers = list({hidden for each in caller for hidden in each.numbers})
        try:
            found, short = await ask(
                self._database,
                keys,
                hidden_numbers,
                now=started,
                since=started - KEPT,
                short_since=started - DISTRESS_WITHIN,
            )
        except SQLAlchemyError:
            return RepeatFound("ER", "store_failed")
        earlier = [each for each in found if each.id != resumes]
        return replace(judge(caller, started, earlier), distress=short >= DISTRESS_CALLS)

    async def keep(
        self,
        call_ref: str,
        number: str | None,
        started: datetime,
        *,
        provider: str = "",
        context: str = "",
        traits: Traits | None = None,
    ) -> None:
        """Keep one completed call of ours, with what is known of its patient; see :meth:`keep_all`."""
        await self.keep_all([Completed(call_ref, number, started, provider, context, traits)])

    async def keep_all(self, calls: Sequence[Completed]) -> None:
        """Keep completed calls of ours in one transaction, and forget contacts of :data:`KEPT` before the newest.

        Again changes nothing.
        """
        if not calls:
            return
        kept = [self._encounter(each) for each in calls]
        newest = max(each.started for each in calls)
        forget = newest >= self._forget_at

        def write(connection: Connection) -> None:
            self._add(connection, [(each, None) for each in kept])
            if forget:
                _forget(connection, newest)

        await self._database.write(write)
        if forget:
            self._forget_at = newest + FORGET_EVERY

    def _encounter(self, call: Completed) -> Encounter:
        numbers = self._traits(NOBODY, (call.number,) if call.number else ()).numbers
        whole = replace(call.traits or Traits(), numbers=numbers)
        hidden = _context_key(self._keys, call.context) if call.context else None
        return Encounter(call.call_ref, call.started, whole, call.provider, context=hidden)

    async def keep_external(self, new: Sequence[External], now: datetime) -> int:
        """Keep what other providers report, in one transaction; returns how many were new, or newer than what was here.

        Forgets what began longer than :data:`KEPT` before ``now``.
        """

        def hashed() -> list[tuple[Encounter, External]]:
            return [(encounter_of(self._keys, each, self._is_shared), each) for each in new]

        rows = await asyncio.to_thread(hashed)  # there may be hundreds, and this loop carries calls

        def write(connection: Connection) -> int:
            _one_message_at_a_time(connection)
            _forget(connection, now)
            return sum(self._add_report(connection, encounter, each) for encounter, each in rows)

        return await self._database.write(write)

    def _add_report(self, connection: Connection, encounter: Encounter, each: External) -> bool:
        known = select(encounters.c.version).where(encounters.c.id == encounter.id)
        version = connection.execute(known).scalar_one_or_none()
        if version is not None and version >= each.version:
            return False
        connection.execute(delete(encounter_keys).where(encounter_keys.c.encounter == encounter.id))
        connection.execute(delete(encounters).where(encounters.c.id == encounter.id))
        self._add(connection, [(encounter, each)])
        return True

    def _add(self, connection: Connection, new: Sequence[tuple[Encounter, External | None]]) -> None:
        change_each(connection, self._insert, [self._row(each, told) for each, told in new])
        pairs = [
            {"key": key, "encounter": each.id, "kind": kind}
            for each, _ in new
            for kind, key in lookup_keys(self._keys, each.traits)
        ]
        change_each(connection, self._insert_key, pairs)

    async def forget(self, now: datetime) -> None:
        """Delete what began longer than :data:`KEPT` before ``now``."""
        await self._database.write(lambda connection: _forget(connection, now))

    async def identify(self, call_ref: str, traits: Traits) -> None:
        """Add who a call of ours was about, once somebody has asked; nothing is done for a call that is not kept."""
        values = _columns(traits)
        pairs = [{"key": key, "encounter": call_ref, "kind": kind} for kind, key in lookup_keys(self._keys, traits)]

        def write(connection: Connection) -> None:
            changed = connection.execute(update(encounters).where(encounters.c.id == call_ref).values(values))
            if changed.rowcount and pairs:
                connection.execute(self._insert_key, pairs)

        await self._database.write(write)

    async def reports(self, ids: Sequence[str]) -> list[EarlierReport]:
        """What the reports of these encounters said, oldest first. For a repeat caller (RC) only."""
        columns = (encounters.c.id, encounters.c.wrapped_key, encounters.c.report)
        query = select(*columns).where(encounters.c.id.in_(ids), encounters.c.report.is_not(None))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        opened = [report for row in rows if (report := self._open(row.id, row.wrapped_key, row.report))]
        return sorted(opened, key=lambda each: each.started)

    async def keep_short(self, call_ref: str, number: str, ended: datetime) -> bool:
        """Keep a call that the caller ended before a person answered; whether the line is in distress with it.

        A shared line never is.
        """
        if self._is_shared(number):
            return False
        every_key = range(len(self._keys.index_keys))
        keys = [hidden for key in every_key for hidden in self._traits(NOBODY, (number,), key).numbers]
        row = {"call_ref": call_ref, "number_key": keys[0], "ended_at": ended}

        def write(connection: Connection) -> bool:
            connection.execute(self._insert_short, row)
            connection.execute(delete(short_calls).where(short_calls.c.ended_at < ended - FORGET_EVERY))
            return _in_distress(connection, keys, ended)

        return await self._database.write(write)

    def traits(self, patient: Patient) -> Traits:
        """The hashes of a patient, without a number."""
        return self._traits(patient, ())

    def _traits(self, patient: Patient, numbers: tuple[str, ...], key: int = 0) -> Traits:
        return traits_of(self._keys, patient, _of_one_household(numbers, self._is_shared), key=key)

    def _row(self, each: Encounter, told: External | None) -> dict[str, Any]:
        key = self._keys.new_data_key() if told else None
        return {
            "id": each.id,
            "started_at": each.started,
            "external": each.external,
            "doubtful": each.doubtful,
            "provider": each.provider,
            "version": told.version if told else 0,
            "context_key": each.context,
            "case_key": each.case,
            **_columns(each.traits),
            "wrapped_key": key.wrapped if key else None,
            "report": _seal(key, each.id, told.report) if key and told else None,
        }

    def _open(self, encounter: str, wrapped: bytes, sealed: bytes) -> EarlierReport | None:
        try:
            values = json.loads(self._keys.unwrap(wrapped).open(sealed, f"encounter:{encounter}".encode()))
        except SealError:
            return None  # its key is gone, and with it what it said
        return EarlierReport(datetime.fromisoformat(values.pop("started")), **values)


def encounter_of(keys: KeyRing, each: External, is_shared: IsShared = lambda _number: False) -> Encounter:
    """What another provider reports, as it is kept and compared."""
    return Encounter(
        id=keys.index("encounter-report", f"{each.provider}\0{each.document}"),
        started=each.report.started,
        traits=traits_of(keys, each.patient, _of_one_household(each.numbers, is_shared)),
        provider=each.provider,
        context=_context_key(keys, each.context) if each.context else None,
        case=keys.index("encounter-case", f"{each.provider}\0{each.case}") if each.case else None,
        external=True,
        doubtful=each.report.doubtful,
    )


def _one_message_at_a_time(connection: Connection) -> None:
    """Which version is newest is only known while nobody else writes one. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _of_one_household(numbers: tuple[str, ...], is_shared: IsShared) -> tuple[str, ...]:
    return tuple(each for each in numbers if not is_shared(each))


def _context_key(keys: KeyRing, context: str) -> str:
    return keys.index("encounter-context", context.lower())


def _columns(traits: Traits) -> dict[str, str | None]:
    return {f"{name}_key": getattr(traits, name) for name in FIVE} | {"nhs_key": traits.nhs}


def _seal(key: DataKey, encounter: str, report: EarlierReport) -> bytes:
    values = asdict(report) | {"started": report.started.isoformat()}
    return key.seal(json.dumps(values).encode(), f"encounter:{encounter}".encode())


def _forget(connection: Connection, now: datetime) -> None:
    old = select(encounters.c.id).where(encounters.c.started_at < now - KEPT)
    connection.execute(delete(encounter_keys).where(encounter_keys.c.encounter.in_(old)))
    connection.execute(delete(encounters).where(encounters.c.started_at < now - KEPT))


def _in_distress(connection: Connection, numbers: Collection[str], at: datetime) -> bool:
    """``numbers``: the hashes of one line, one for each index key."""
    asked = {"numbers": list(numbers), "until": at, "since": at - DISTRESS_WITHIN}
    return int(connection.execute(_SHORT, asked).scalar_one()) >= DISTRESS_CALLS
