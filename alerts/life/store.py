"""Where alerts are in their life, and the notices still to be carried: SQLite or PostgreSQL.

A change of state, its record and the notices it calls for are one commit, so that a worker that dies in between loses
none and sends none twice. Both the change and each try at a notice are compare-and-set: of two workers, one wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, get_args

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from alerts.auditor import PROBE_RULE
from alerts.life.tables import alert_bounced, alert_notices, alert_silences, alert_states, alert_steps, alert_taken_on
from alerts.life.tables import metadata as metadata
from alerts.model import AlertState, Notice, Outcome, Phase, Recipient, Silence, StepTaken
from infra.sql import Database, insert_once


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice on its way to its recipient: how often it was tried, and when it is next."""

    id: int
    notice: Notice
    tries: int
    next_try_at: datetime
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What happens at once. Each state has the ``version`` of the state that it follows."""

    states: tuple[AlertState, ...]
    notices: tuple[Notice, ...] = ()
    steps: tuple[StepTaken, ...] = ()


@dataclass(frozen=True, slots=True)
class Failures:
    """Notices of a channel that failed: how many, and the last one's time."""

    channel: str
    count: int
    last: datetime


class AlertStore:
    """The tables of this package. Any method may raise SQLAlchemyError; then nothing was changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, AlertState] = {}  # what has not moved since is not read whole again

    async def states(self, told_since: datetime | None = None) -> dict[str, AlertState]:
        """Every stored state of an alert that has a life, by its identity; and what was told once since then."""
        seen = self._seen
        found = {str(rule): int(version) for rule, version in await self._database.poll(_VERSIONS)}
        news = [rule for rule, version in found.items() if rule not in seen or seen[rule].version != version]
        read = await self._database.read(lambda connection: _read_states(connection, news)) if news else []
        newest = seen | {each.rule: each for each in read}
        self._seen = {rule: newest[rule] for rule in found if rule in newest}
        once = await self._database.read(lambda connection: _read_told(connection, told_since)) if told_since else []
        return self._seen | {each.rule: each for each in once}

    async def move(self, change: Change) -> bool:
        """Store the change; False, and nothing changed, if another worker moved one of its alerts first.

        Raises SQLAlchemyError for anything else that cannot be stored: nobody is told of it, so it must be seen.
        """

        def write(connection: sa.Connection) -> None:
            _put(connection, change.states)
            if change.notices:
                connection.execute(sa.insert(alert_notices), [_row(each) for each in change.notices])
            _record(connection, change.steps)

        try:
            await self._database.write(write)
        except _Overtaken:
            return False
        return True

    async def record(self, steps: Sequence[StepTaken]) -> None:
        """Put steps on record that could not be when they were taken; what is there already is not put there again."""
        table = alert_steps.c
        some = sa.select(table.alert, table.kind, table.at, table.by, table.detail).where(
            table.alert.in_({each.alert for each in steps}), table.at >= min(each.at for each in steps)
        )

        def write(connection: sa.Connection) -> None:
            known = {StepTaken(*row) for row in connection.execute(some)}
            _record(connection, (each for each in steps if each not in known))

        await self._database.write(write)

    async def steps(self, alert: str, most: int = 200) -> list[StepTaken]:
        """The newest steps of an alert, newest first."""
        return await self._steps(sa.select(alert_steps).where(alert_steps.c.alert == alert), most)

    async def history(self, most: int = 50) -> list[StepTaken]:
        """How episodes of all alerts ended, newest first."""
        ends = alert_steps.c.kind.in_(("resolved", "rule_removed"))
        return await self._steps(sa.select(alert_steps).where(ends), most)

    async def silences(self, at: datetime) -> list[Silence]:
        """Those that hold ``at`` that time, the one that ends first on top."""
        return [Silence(*row) for row in await self._database.poll(_HELD, {"at": at})]

    async def silence(self, silence: Silence, step: StepTaken) -> None:
        """Keep a new silence."""

        def write(connection: sa.Connection) -> None:
            connection.execute(sa.insert(alert_silences).values(asdict(silence)))
            _record(connection, (step,))

        await self._database.write(write)

    async def lift(self, silence_id: str, step: StepTaken) -> bool:
        """End a silence before its time; False if it is over already."""
        table = alert_silences.c
        held = (table.id == silence_id) & table.lifted_at.is_(None) & (table.until > step.at)
        ended = sa.update(alert_silences).where(held).values(lifted_at=step.at, lifted_by=step.by)

        def write(connection: sa.Connection) -> bool:
            if connection.execute(ended).rowcount != 1:
                return False
            _record(connection, (step,))
            return True

        return await self._database.write(write)

    async def take_on(self, alert: str, by: str, at: datetime) -> bool:
        """Keep that somebody took on an alert that each process sees for itself; True."""
        kept = sa.insert(alert_taken_on).values(alert=alert, by=by, at=at)
        await self._database.write(lambda connection: connection.execute(kept))
        return True

    async def taken_on(self, since: datetime) -> list[tuple[str, str, datetime]]:
        """Alert, name and time of each since then, oldest first."""
        table = alert_taken_on.c
        found = sa.select(table.alert, table.by, table.at).where(table.at >= since).order_by(table.id)
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return [(row.alert, row.by, row.at) for row in rows]

    async def bounced(self) -> dict[str, datetime]:
        """Addresses, in small letters, that a mail came back from, and since when."""
        return {str(address): since for address, since in await self._database.poll(_BOUNCED)}

    async def bounce(self, address: str, at: datetime) -> None:
        """Mail to this address comes back; again changes nothing."""
        kept = insert_once(alert_bounced, self._database.dialect).values(address=address.lower(), since=at)
        await self._database.write(lambda connection: connection.execute(kept))

    async def works_again(self, address: str) -> bool:
        """Forget that mail came back from it; False if nobody said so."""
        gone = sa.delete(alert_bounced).where(alert_bounced.c.address == address.lower())
        return await self._database.write(lambda connection: connection.execute(gone).rowcount == 1)

    async def open_deliveries(self, channel: str) -> list[Delivery]:
        """The notices of a channel that are neither sent nor given up, oldest first."""
        of_channel = {"channel": channel}
        if not await self._database.poll(_ANY_OPEN, of_channel):
            return []
        rows = await self._database.read(lambda connection: connection.execute(_OPEN, of_channel).all())
        return [Delivery(row.id, _read(row.notice), row.tries, row.next_try_at) for row in rows]

    async def sent(self, notice_id: str, channel: str, address: str) -> Delivery | None:
        """A notice that its channel has taken, until a receipt has told what became of it.

        One that is being tried, too: a carrier may be quicker than we write down that it took the notice. Gateways
        tell addresses of mail in letters of their own: these are compared without case.
        """
        written = alert_notices.c.address
        same = sa.func.lower(written) == address.lower() if channel == "email" else written == address
        found = sa.select(alert_notices).where(
            alert_notices.c.notice_id == notice_id,
            alert_notices.c.channel == channel,
            same,
            alert_notices.c.tries > 0,
            alert_notices.c.delivered_at.is_(None),
            alert_notices.c.failed_at.is_(None),
        )
        row = await self._database.read(lambda connection: connection.execute(found).first())
        return _delivery(row) if row is not None else None

    async def unheard(self, channel: str, since: datetime, until: datetime) -> list[Delivery]:
        """Notices that the channel took between these times, and of which nothing was heard since: oldest first."""
        found = sa.select(alert_notices).where(
            alert_notices.c.channel == channel,
            alert_notices.c.sent_at.between(since, until),
            alert_notices.c.delivered_at.is_(None),
            alert_notices.c.failed_at.is_(None),
        )
        oldest_first = found.order_by(alert_notices.c.id)
        rows = await self._database.read(lambda connection: connection.execute(oldest_first).all())
        return [_delivery(row) for row in rows]

    async def refer(self, notice: Notice, reference: str) -> None:
        """Keep by which reference the notice's carrier will speak of it."""
        to, table = notice.recipient, alert_notices.c
        this = (table.notice_id == notice.id) & (table.channel == to.channel) & (table.address == to.address)
        kept = sa.update(alert_notices).where(this).values(reference=reference)
        await self._database.write(lambda connection: connection.execute(kept))

    async def by_reference(self, reference: str, since: datetime) -> Notice | None:
        """The notice of a carrier's reference that was due for a try since then."""
        table = alert_notices.c
        found = sa.select(table.notice).where(table.reference == reference, table.next_try_at >= since)
        row = await self._database.read(lambda connection: connection.execute(found).first())
        return _read(row.notice) if row is not None else None

    async def failures(self, since: datetime) -> list[Failures]:
        """How many notices failed since then, by channel."""
        notices = alert_notices.c
        found = (
            sa.select(notices.channel, sa.func.count().label("count"), sa.func.max(notices.failed_at).label("last"))
            .where(notices.failed_at >= since)
            .group_by(notices.channel)
            .order_by(notices.channel)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return [Failures(*row) for row in rows]

    async def claim(self, delivery: Delivery, next_try_at: datetime) -> bool:
        """Begin a try, before it is made: until ``next_try_at`` no other worker tries. False if one does."""
        return await self._set(delivery.id, delivery.tries, {"tries": delivery.tries + 1, "next_try_at": next_try_at})

    async def put_off(self, delivery: Delivery, next_try_at: datetime) -> None:
        """The claimed try failed; the next is due at ``next_try_at``."""
        await self._set(delivery.id, delivery.tries + 1, {"next_try_at": next_try_at})

    async def close(self, delivery: Delivery, outcome: Outcome, at: datetime, then: Notice | None = None) -> None:
        """The notice was ``sent`` or ``delivered``, or has ``failed`` for good; ``then`` is queued in its place.

        Of a probe's, two a minute, nothing is kept: their record is the auditor's.
        """
        table, this = alert_notices, alert_notices.c.id == delivery.id
        is_probe = delivery.notice.rule == PROBE_RULE
        done = sa.delete(table).where(this) if is_probe else sa.update(table).where(this).values({f"{outcome}_at": at})

        def write(connection: sa.Connection) -> None:
            connection.execute(done)
            _record(connection, outcome_steps(delivery.notice, outcome, at))
            if then is not None:
                connection.execute(insert_once(alert_notices, self._database.dialect).values(_row(then)))

        await self._database.write(write)

    async def _set(self, delivery_id: int, tries: int, values: dict[str, Any]) -> bool:
        same = (alert_notices.c.id == delivery_id) & (alert_notices.c.tries == tries)
        change = sa.update(alert_notices).where(same).values(values)
        return await self._database.write(lambda connection: connection.execute(change).rowcount == 1)

    async def _steps(self, found: sa.Select[Any], most: int) -> list[StepTaken]:
        newest = found.order_by(alert_steps.c.id.desc()).limit(most)
        rows = await self._database.read(lambda connection: connection.execute(newest).all())
        steps = [StepTaken(row.alert, row.kind, row.at, row.by, row.detail) for row in rows]
        return sorted(steps, key=lambda each: each.at, reverse=True)  # what was put on record late stands in its place


def outcome_steps(notice: Notice, outcome: Outcome, at: datetime) -> list[StepTaken]:
    """What became of a notice, as a line in the record of each alert that it tells of; probes are not recorded."""
    if notice.rule == PROBE_RULE:
        return []
    to = notice.recipient
    return [
        StepTaken(alert, outcome, at, detail=f"{to.name} by {to.channel}: {notice.kind}") for alert in notice.alerts
    ]


ALIVE = tuple(each for each in get_args(Phase) if each != "told")
"""Phases of what has a life, named one by one: an index finds them however much was told once."""

READ_AT_ONCE = 500
"""Names in one question: databases take thousands."""

_WHOLE = sa.select(alert_states)
# asked with every look: put together once
_VERSIONS = sa.select(alert_states.c.rule, alert_states.c.version).where(
    alert_states.c.phase.in_([sa.literal_column(f"'{each}'") for each in ALIVE])
)
_HELD = (
    sa.select(*(alert_silences.c[each.name] for each in fields(Silence)))
    .where(
        alert_silences.c.since <= sa.bindparam("at"),
        alert_silences.c.until > sa.bindparam("at"),
        alert_silences.c.lifted_at.is_(None),
    )
    .order_by(alert_silences.c.until)
)
_BOUNCED = sa.select(alert_bounced.c.address, alert_bounced.c.since)
_OPEN = (
    sa.select(alert_notices.c.id, alert_notices.c.notice, alert_notices.c.tries, alert_notices.c.next_try_at)
    .where(
        alert_notices.c.channel == sa.bindparam("channel"),
        alert_notices.c.sent_at.is_(None),
        alert_notices.c.failed_at.is_(None),
    )
    .order_by(alert_notices.c.id)
)
_ANY_OPEN = _OPEN.with_only_columns(alert_notices.c.id).order_by(None).limit(1)


def _read_states(connection: sa.Connection, rules: Sequence[str]) -> list[AlertState]:
    found: list[AlertState] = []
    for start in range(0, len(rules), READ_AT_ONCE):
        some = _WHOLE.where(alert_states.c.rule.in_(rules[start : start + READ_AT_ONCE]))
        found += [_state(row) for row in connection.execute(some)]
    return found


def _read_told(connection: sa.Connection, since: datetime) -> list[AlertState]:
    told = _WHOLE.where(alert_states.c.phase == "told", alert_states.c.since >= since)
    return [_state(row) for row in connection.execute(told)]


class _Overtaken(Exception):
    """Another worker moved an alert first."""


def _put(connection: sa.Connection, states: Iterable[AlertState]) -> None:
    """Raises :class:`_Overtaken` if another worker moved one of them first."""
    rows = [_values(each) for each in states]
    if new := [each for each in rows if each["version"] == 1]:
        try:
            connection.execute(sa.insert(alert_states), new)
        except IntegrityError as error:
            raise _Overtaken from error
    for values in rows:
        before = values["version"] - 1
        same = (alert_states.c.rule == values["rule"]) & (alert_states.c.version == before)
        if before and connection.execute(sa.update(alert_states).where(same).values(values)).rowcount != 1:
            raise _Overtaken


def _values(state: AlertState) -> dict[str, Any]:
    values = asdict(state) | {
        "version": state.version + 1,
        "told": json.dumps([asdict(each) for each in state.told]),
        "fired": json.dumps([each.isoformat() for each in state.fired]),
    }
    del values["clear_since"]  # each process watches for itself how long it has been clear
    return values


def _record(connection: sa.Connection, steps: Iterable[StepTaken]) -> None:
    if rows := [asdict(each) for each in steps]:
        connection.execute(sa.insert(alert_steps), rows)


def _state(row: sa.Row[Any]) -> AlertState:
    values = dict(row._mapping)
    told = tuple(_recipient(each) for each in json.loads(values["told"]))
    fired = tuple(datetime.fromisoformat(each) for each in json.loads(values["fired"]))
    return AlertState(**{**values, "told": told, "fired": fired})


def _delivery(row: sa.Row[Any]) -> Delivery:
    return Delivery(row.id, _read(row.notice), row.tries, row.next_try_at, row.sent_at)


def _row(notice: Notice) -> dict[str, Any]:
    written = asdict(notice)
    if not notice.of_few:  # a version from before there was such a thing may be beside us, and read what we queue
        del written["of_few"]
    return {
        "notice_id": notice.id,
        "rule": notice.rule,
        "channel": notice.recipient.channel,
        "address": notice.recipient.address,
        "notice": json.dumps(written, default=datetime.isoformat),
        "next_try_at": notice.at,
    }


def _read(text: str) -> Notice:
    data = json.loads(text)
    data.setdefault("alert", data["rule"])  # queued by a version before alerts could be taken on
    if "clear_below" in data:
        data["clear"] = data.pop("clear_below")
    data["recipient"] = _recipient(data["recipient"])
    data["also"] = tuple(data.get("also", ()))
    for name in ("since", "at"):
        data[name] = datetime.fromisoformat(data[name])
    known = {each.name for each in fields(Notice)}  # a newer version may have queued more
    return Notice(**{name: value for name, value in data.items() if name in known})


def _recipient(data: dict[str, Any]) -> Recipient:
    then: Sequence[dict[str, Any]] = data.get("then", ())
    return Recipient(**{**data, "then": tuple(_recipient(each) for each in then)})
