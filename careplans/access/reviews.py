"""What information governance does with broken glass: sees each one, and says whether its reason stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from careplans.access.rules import Action, may
from careplans.access.tables import plan_emergencies
from careplans.audit.chain import What
from careplans.audit.people import People
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import AlreadyReviewed, NotAllowed, OwnEmergency, ReasonMissing, UnknownEmergency
from careplans.model import Viewer
from careplans.reading import store_errors
from careplans.tables import plans
from infra.clock import Clock
from infra.crypto import KeyRing, SealError
from infra.sql import Database

MOST_LISTED = 200
"""Of those to review, and of the reviewed: however many there are of these, none of the former is left out for them."""
LONGEST_WORDS = 1000
UNREADABLE = "(can no longer be read)"


@dataclass(frozen=True, slots=True)
class Case:
    """One broken glass. ``who``, ``reason`` and ``words`` are personal; ``plans`` names kind and source only."""

    id: str
    at: datetime
    who: str = field(repr=False)
    role: str
    reason: str = field(repr=False)
    plans: tuple[str, ...]
    opened: tuple[datetime, ...]
    reviewed_at: datetime | None
    reviewer: str = field(repr=False)
    accepted: bool | None
    words: str = field(repr=False)


class EmergencyReviews:
    """The list of broken glass and its judgement, for information governance only."""

    def __init__(self, database: Database, keyring: KeyRing, clock: Clock, audit: AuditTrail) -> None:
        self._database = database
        self._keyring = keyring
        self._people = People(keyring)
        self._clock = clock
        self._audit = audit

    async def newest(self, viewer: Viewer) -> list[Case]:
        """Those to review, oldest first, and then the reviewed ones, newest first. Raises :class:`NotAllowed`."""
        await self._require(viewer)
        with store_errors():
            return await self._database.read(self._cases)

    async def one(self, emergency: str, viewer: Viewer) -> Case:
        """One broken glass. Raises :class:`NotAllowed`, :class:`UnknownEmergency`."""
        await self._require(viewer)
        one = select(plan_emergencies).where(plan_emergencies.c.id == emergency)

        def read(connection: Connection) -> Case:
            row = connection.execute(one).one_or_none()
            if row is None:
                raise UnknownEmergency("there is no such emergency access")
            return self._case(connection, row)

        with store_errors():
            return await self._database.read(read)

    async def decide(self, emergency: str, *, accepted: bool, words: str, viewer: Viewer) -> None:
        """Say whether the reason stands, and why; once, by somebody else than who broke the glass.

        Recorded. Raises :class:`NotAllowed`, :class:`UnknownEmergency`, :class:`ReasonMissing`,
        :class:`AlreadyReviewed`, :class:`OwnEmergency`, :class:`PlanStoreFailed`.
        """
        await self._require(viewer)
        typed = " ".join(words.split())[:LONGEST_WORDS]
        if not typed:
            raise ReasonMissing("say why")
        await self._audit.within(lambda connection: self._decide(connection, emergency, accepted, typed, viewer))

    def _decide(self, connection: Connection, emergency: str, accepted: bool, words: str, viewer: Viewer) -> None:
        row = connection.execute(select(plan_emergencies).where(plan_emergencies.c.id == emergency)).one_or_none()
        if row is None:
            raise UnknownEmergency("there is no such emergency access")
        session = self._audit.session(viewer.session)
        if row.actor in self._audit.actors(viewer.user) or (viewer.session and row.session == session):
            raise OwnEmergency("nobody reviews what they opened themselves")
        values = {
            "reviewed_at": self._clock.now(),
            "reviewer": self._audit.actor(viewer.user),
            "accepted": accepted,
            "words": self._keyring.unwrap(row.wrapped_key).seal(words.encode(), f"{emergency}/words".encode()),
        }
        open_case = (plan_emergencies.c.id == emergency) & plan_emergencies.c.reviewed_at.is_(None)
        if connection.execute(update(plan_emergencies).where(open_case).values(values)).rowcount == 0:
            raise AlreadyReviewed("somebody has reviewed it already")
        self._audit.enter(connection, viewer, self._audit.entries(viewer, What.REVIEWED, about=emergency))

    async def _require(self, viewer: Viewer) -> None:
        if not may(viewer.role, Action.REVIEW_EMERGENCIES):
            await self._audit.record_or_spool(viewer, self._audit.entries(viewer, What.REFUSED))
            raise NotAllowed("only information governance reviews emergency access")

    def _cases(self, connection: Connection) -> list[Case]:
        at, reviewed_at = plan_emergencies.c.at, plan_emergencies.c.reviewed_at
        waiting = select(plan_emergencies).where(reviewed_at.is_(None)).order_by(at)
        done = select(plan_emergencies).where(reviewed_at.is_not(None)).order_by(at.desc())
        rows = [row for query in (waiting, done) for row in connection.execute(query.limit(MOST_LISTED)).all()]
        return [self._case(connection, row) for row in rows]

    def _case(self, connection: Connection, row: Any) -> Case:
        ids = row.plans.split()
        about = select(plans.c.kind, plans.c.source).where(plans.c.id.in_(ids)).order_by(plans.c.kind)
        views = select(plan_audit.c.at).where(
            plan_audit.c.plan.in_(ids), plan_audit.c.about == row.id, plan_audit.c.what == What.OPENED_EMERGENCY
        )
        names = self._people.names(connection, [row.actor, *([row.reviewer] if row.reviewer else [])])
        return Case(
            id=row.id,
            at=row.at,
            who=names.get(row.actor, UNREADABLE),
            role=row.role,
            reason=self._text(row, "reason"),
            plans=tuple(f"{each.kind}, {each.source}" for each in connection.execute(about)),
            opened=tuple(sorted(set(connection.execute(views).scalars()))),
            reviewed_at=row.reviewed_at,
            reviewer=names.get(row.reviewer, "") if row.reviewer else "",
            accepted=row.accepted,
            words=self._text(row, "words") if row.words is not None else "",
        )

    def _text(self, row: Any, column: str) -> str:
        try:
            return (
                self._keyring.unwrap(row.wrapped_key).open(getattr(row, column), f"{row.id}/{column}".encode()).decode()
            )
        except SealError:
            return UNREADABLE
