"""Versions in SQL: plain functions of a connection, each a part of somebody's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy import Row as SqlRow

from callrouter.approvals import Approval, Author, ContentChanged
from callrouter.handover import Role, SignedIn
from callrouter.publishing.content import Content, read_content, written_hash
from callrouter.publishing.errors import UnknownVersion
from callrouter.publishing.model import THE_SERVICE, Row, State, Step
from callrouter.publishing.tables import approvals, steps, versions

Sounds = Mapping[str, Mapping[str, str]]
"""Language → prompt key → text; under the empty language the hash of each recording."""

_WITHOUT_CONTENT = [column for column in versions.c if column.name != "content"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A version with its content as it was written, for those who carry calls."""

    row: Row
    content: str


def get(connection: Connection, version: str) -> Row:
    """One version; raises :class:`UnknownVersion`."""
    found = connection.execute(select(*_WITHOUT_CONTENT).where(versions.c.version == version)).one_or_none()
    if found is None:
        raise UnknownVersion("there is no such version")
    return _row(found)


def find(connection: Connection, version: str) -> Row | None:
    """One version, if it is there."""
    found = connection.execute(select(*_WITHOUT_CONTENT).where(versions.c.version == version)).one_or_none()
    return None if found is None else _row(found)


def listed(connection: Connection, flow: str, states: Collection[State] = ()) -> list[Row]:
    """The versions of a flow, in one of ``states`` if any is given; the last written first."""
    query = select(*_WITHOUT_CONTENT).where(versions.c.flow == flow)
    if states:
        query = query.where(versions.c.state.in_([*states]))
    order = query.order_by(versions.c.written_at.desc(), versions.c.version)
    return [_row(each) for each in connection.execute(order)]


def only(connection: Connection, flow: str, state: State) -> Row | None:
    """The one version of a flow in this state, if there is one."""
    return next(iter(listed(connection, flow, (state,))), None)


MADE_LIVE = ("shipped_live", "published", "live_by_schedule", "live_again")
"""Steps with which a version became the live one. Their order is the record's, whatever a clock said."""


def last_good(connection: Connection, flow: str, usable: Collection[str] | None = None) -> Row | None:
    """The version that callers met last before the live one, and that nobody took back or recalled; of ``usable``."""
    rows = listed(connection, flow, (State.RETIRED,))
    retired = {row.version: row for row in rows if usable is None or row.version in usable}
    made_live = select(steps.c.version).where(steps.c.step.in_(MADE_LIVE)).order_by(steps.c.id.desc())
    return next((retired[version] for version in connection.scalars(made_live) if version in retired), None)


def text_of(connection: Connection, version: str) -> str:
    """The content of a version as it was written; raises :class:`UnknownVersion`."""
    found = connection.execute(select(versions.c.content).where(versions.c.version == version)).scalar_one_or_none()
    if found is None:
        raise UnknownVersion("there is no such version")
    return str(found)


def content_of(connection: Connection, row: Row) -> Content:
    """The content of a version; raises :class:`ContentChanged` if it is not what was written then."""
    return verified(Stored(row, text_of(connection, row.version)))


def verified(stored: Stored) -> Content:
    """The content, if it is what its hash says; raises :class:`ContentChanged`.

    The hash is of the text as it was written, and the version is the name that it was given then: a release whose
    flows have more fields reads what an older one wrote, under the same version and with the same approvals.
    """
    try:
        if written_hash(stored.content) != stored.row.content_hash:
            raise ContentChanged("its content is not what was written")
        return read_content(stored.content, stored.row.version)
    except ContentChanged:
        raise
    except Exception as error:
        raise ContentChanged("its content cannot be read any more") from error


def insert(connection: Connection, content: Content, note: str, who: SignedIn, at: datetime) -> None:
    """Add a draft."""
    connection.execute(
        versions.insert().values(
            version=content.version, flow=content.flow.flow, content_hash=content.hash, content=content.text(),
            note=note, author=who.user, author_session=who.session, written_at=at, state=State.DRAFT, problems=[],
        )
    )  # fmt: skip


def change(connection: Connection, version: str, state: State, **values: Any) -> None:
    """Bring a version into a state."""
    connection.execute(update(versions).where(versions.c.version == version).values(state=state, **values))


def add_step(connection: Connection, version: str, step: str, who: SignedIn, at: datetime, note: str = "") -> None:
    """Record what somebody did."""
    role = "" if who.user == THE_SERVICE else who.role
    row = {"at": at, "version": version, "step": step, "by": who.user, "role": role, "note": note,
           "name": who.name}  # fmt: skip
    connection.execute(steps.insert().values(row))


def steps_of(connection: Connection, version: str | None, limit: int) -> list[Step]:
    """What was done, newest first, with one version or with all."""
    query = select(steps).order_by(steps.c.id.desc()).limit(limit)
    if version is not None:
        query = query.where(steps.c.version == version)
    return [
        Step(each.at, each.version, each.step, each.by, each.role, each.note, each.name)
        for each in connection.execute(query)
    ]


def add_approval(connection: Connection, version: str, approval: Approval) -> None:
    """Record that somebody agreed."""
    connection.execute(
        approvals.insert().values(
            version=version, by=approval.by, role=approval.role, session=approval.session,
            content=approval.content, at=approval.at, expires_at=approval.expires_at,
        )
    )  # fmt: skip


def approvals_of(connection: Connection, row: Row) -> tuple[Approval, ...]:
    """Who agreed to a version since it was written, or since it was live last; oldest first."""
    of_version = select(approvals).where(approvals.c.version == row.version, approvals.c.at >= row.written_at)
    if row.state in (State.RETIRED, State.ROLLED_BACK) and row.live_from is not None:
        of_version = of_version.where(approvals.c.at > row.live_from)
    return tuple(
        Approval(each.by, Role(each.role), each.session, each.content, each.at, each.expires_at)
        for each in connection.execute(of_version.order_by(approvals.c.id))
    )


def sounds_met(connection: Connection, flow: str, but: str) -> tuple[list[Sounds], list[Sounds]]:
    """What callers may be hearing: of versions that are live, staged or due, and of older ones that calls finish in.

    Read from the text as it was written, so that no old version stands in the way of a new one.
    """
    now = listed(connection, flow, (State.LIVE, State.STAGED, State.SCHEDULED))
    old = [row for row in listed(connection, flow, (State.RETIRED, State.ROLLED_BACK)) if row.live_from is not None]
    return (
        [_sounds_of(connection, row) for row in now if row.version != but],
        [_sounds_of(connection, row) for row in old if row.version != but],
    )


def authors_of(connection: Connection, version: str) -> list[Author]:
    """Everybody who ever put this content in."""
    query = select(steps.c.by).where(steps.c.version == version, steps.c.step == "drafted").distinct()
    return [Author(by) for by in connection.scalars(query)]


def _sounds_of(connection: Connection, row: Row) -> Sounds:
    plain = json.loads(text_of(connection, row.version))
    return {"": plain["audio"], **plain["texts"]}


def _row(found: SqlRow[Any]) -> Row:
    return Row(
        found.version, found.flow, found.content_hash, found.note, Author(found.author, found.author_session),
        found.written_at, State(found.state), tuple(found.problems), found.live_from, found.share,
    )  # fmt: skip
