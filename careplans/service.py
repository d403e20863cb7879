"""What others call: match a number, open a plan after a check, import plans."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from careplans import views
from careplans.errors import NoSuchPlan, NotAllowed, PlanStoreFailed, TooManyTries
from careplans.importer import read_plan_file
from careplans.model import (
    Candidate,
    ImportReport,
    Match,
    MatchLevel,
    OpenedPlan,
    Viewer,
    group_by_person,
    is_stale,
    london_date,
    unmatchable,
)
from careplans.ports import ViewSpool
from careplans.rows import Row
from careplans.screening import screen
from careplans.sealing import Sealer
from careplans.store import FoundPlan, SealedPlan, plans_by_id, plans_by_number
from careplans.tables import lock_for_writing, plan_views
from careplans.views import LogSpool, ViewEntry, What
from careplans.writing import write_plans
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.numbers import Number
from infra.sql import Database

MAY_CHECK = frozenset({"handler", "clinician"})
"""Roles that speak with the caller and so may check a birth date (docs/safety/rules.md, 3 and 6)."""
CLINICIAN = "clinician"
DAILY_TRIES = 5
"""Birth dates that callers from one number may get wrong within a day (docs/safety/rules.md, 3)."""
TRIES = 5
"""Birth dates that one viewer may get wrong in one call: a misheard digit or two, no search."""

_ROW_ID = re.compile("[0-9a-f]{32}")

_log = structlog.get_logger(__name__)
T = TypeVar("T")


class CarePlans:
    """Care and crisis plans. Everything it needs is passed in; it may be shared by all calls of a process.

    ``spool`` takes the record of a view that the database would not take, see :class:`ViewSpool`.
    """

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        *,
        tries: int = TRIES,
        spool: ViewSpool | None = None,
    ) -> None:
        self._database = database
        self._sealer = Sealer(keyring)
        self._clock = clock
        self._tries = tries
        self._spool = spool or LogSpool()

    async def match_number(self, number: Number) -> Match:
        """Which plans a calling number may mean: ``none``, ``candidates`` or ``unavailable``, never more.

        One indexed query that opens nothing sealed. Numbers that may never be looked up answer ``none`` with
        ``withheld``, ``carrier_filler`` or ``unreadable_number`` and touch no database. Never raises:
        whatever fails is ``unavailable`` with ``store_failed``, since "no plan" would be untrue. Its time is
        for the caller of this function to bound.
        """
        refusal = unmatchable(number)
        if refusal is not None:
            return refusal
        try:
            hashes = self._sealer.number_hashes(str(number.e164))
            found = await self._database.read(lambda connection: plans_by_number(connection, hashes))
            return self._match(found)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must reach a person
            _log.error("plan_match_failed", error=type(error).__name__)
            return Match(MatchLevel.UNAVAILABLE, "store_failed")

    async def open_by_birth_date(
        self, candidates: Sequence[str], birth_date: date, viewer: Viewer
    ) -> tuple[OpenedPlan, ...]:
        """The plans among ``candidates`` of the one person born on that day, newest first; empty if none.

        ``candidates`` are ids that :meth:`match_number` gave for the viewer's own call, which is for the
        caller of this function to see to. Different persons with that birth date: nothing opens. Plans of one
        person all open, also where sources disagree. Restricted plans never open this way. Each try is
        recorded, right or wrong (docs/safety/rules.md, 3).

        Raises :class:`TooManyTries` once the viewer has been wrong ``tries`` times in this call (being right
        costs no try: a page may be opened again), :class:`NotAllowed` for a role that takes no calls,
        :class:`PlanStoreFailed`, :class:`PlanUnreadable`. Then nothing is disclosed.
        """
        await self._require(viewer, MAY_CHECK)
        stored = await self._read(candidates)
        right = self._born_on(stored, birth_date)
        what, shown = (What.CHECKED_RIGHT, right) if right else (What.CHECKED_WRONG, stored)
        if not await self._try_recorded(viewer, self._entries(viewer, what, shown)):
            raise TooManyTries("no more birth dates in this call")
        return tuple(self._opened(plan, viewer) for plan in right)

    async def assert_birth_date(self, number: Number, born: date, call_ref: str) -> Match:
        """``asserted``, with the plans of the one person on this line born on that day; else as :meth:`match_number`.

        For what a caller keyed: it opens nothing and names nobody. Each try is recorded. After :data:`DAILY_TRIES`
        wrong ones from a number within a day, a right one is taken for wrong (docs/safety/rules.md, 3). A try that
        cannot be recorded asserts nothing. Never raises: whatever fails is ``unavailable``.
        """
        match = await self.match_number(number)
        if not match.candidates:
            return match
        line = Viewer(user=f"line {number.e164}", role="caller", call_ref=call_ref)
        try:
            stored = await self._read([each.plan_id for each in match.candidates])
            right = self._born_on(stored, born)
            entries = self._entries(line, What.CHECKED_RIGHT if right else What.CHECKED_WRONG, right or stored)
            allowed = await self._write(partial(views.append_within, entries=entries, most_wrong=DAILY_TRIES))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller goes on to a person
            _log.error("birth_date_check_failed", error=type(error).__name__)
            return Match(MatchLevel.UNAVAILABLE, "store_failed")
        if not (right and allowed):
            return match
        return Match(MatchLevel.ASSERTED, "birth_date", tuple(self._candidate(plan.found) for plan in right), people=1)

    async def open_checked(self, candidate: str, viewer: Viewer) -> OpenedPlan:
        """The plan, for a clinician who says "I have checked" whom they speak with; recorded.

        Raises :class:`NotAllowed` for any other role, :class:`NoSuchPlan`, :class:`PlanStoreFailed`,
        :class:`PlanUnreadable`.
        """
        await self._require(viewer, frozenset({CLINICIAN}))
        stored = await self._read([candidate])
        if not stored:
            await self._record(self._entries(viewer, What.REFUSED, ()))
            raise NoSuchPlan("no plan is stored under this id")
        opened = self._opened(stored[0], viewer)
        await self._record(self._entries(viewer, What.OPENED, stored))
        return opened

    async def import_file(self, path: Path) -> ImportReport:
        """Import a plan file (docs/plan-files.md); see :meth:`load`.

        Raises :class:`PlanFileError` for a file that is not what it says, :class:`PlanStoreFailed`. What was
        stored before stays as it was.
        """
        return await self.load(await asyncio.to_thread(read_plan_file, path))

    async def load(self, rows: Iterable[Row]) -> ImportReport:
        """Store the good rows in one transaction, and report the others by line, field and reason.

        A newer version replaces an older one; an older or equal one changes nothing, so that a repeat is
        harmless. Raises :class:`PlanStoreFailed`, and then nothing of it was stored.
        """
        now = self._clock.now()
        screened = await asyncio.to_thread(screen, rows, london_date(now))
        done = await self._write(partial(write_plans, sealer=self._sealer, new=screened.plans, now=now))
        return ImportReport(done.imported, done.updated, done.unchanged, screened.refused, screened.warnings)

    def _match(self, found: Sequence[FoundPlan]) -> Match:
        if not found:
            return Match(MatchLevel.NONE, "no_plan")
        people = len(group_by_person(found))
        reason = "by_number" if people == 1 else "shared_line"
        return Match(MatchLevel.CANDIDATES, reason, tuple(self._candidate(plan) for plan in found), people)

    def _candidate(self, plan: FoundPlan) -> Candidate:
        return Candidate(
            plan_id=plan.id,
            kind=plan.kind,
            source=plan.source,
            author_org=plan.author_org,
            valid_from=plan.valid_from,
            review_by=plan.review_by,
            stale=is_stale(plan.review_by, london_date(self._clock.now())),
            raises=plan.kind.raises,
        )

    def _born_on(self, stored: Sequence[SealedPlan], birth_date: date) -> list[SealedPlan]:
        right = [
            plan
            for plan in stored
            if not plan.found.restricted
            and self._sealer.open_person(plan.found.id, plan.sealed).birth_date == birth_date
        ]
        return right if len(group_by_person(right)) == 1 else []

    def _opened(self, plan: SealedPlan, viewer: Viewer) -> OpenedPlan:
        found = plan.found
        content = self._sealer.open_content(found.id, plan.sealed)
        return OpenedPlan(
            plan_id=found.id,
            kind=found.kind,
            source=found.source,
            author_org=found.author_org,
            valid_from=found.valid_from,
            review_by=found.review_by,
            stale=is_stale(found.review_by, london_date(self._clock.now())),
            raises=found.kind.raises,
            person=self._sealer.open_person(found.id, plan.sealed).full_name,
            handler_line=content.handler_line,
            detail=content.detail if viewer.role == CLINICIAN else None,
        )

    async def _require(self, viewer: Viewer, roles: frozenset[str]) -> None:
        if viewer.role not in roles:
            await self._record(self._entries(viewer, What.REFUSED, ()))
            raise NotAllowed("this role may not open plans in this way")

    async def _read(self, ids: Sequence[str]) -> list[SealedPlan]:
        # What is no id of ours may be anything, a name too: it goes neither to the database nor to its log.
        ours = [each for each in ids if _ROW_ID.fullmatch(each)]
        with _store_errors():
            return await self._database.read(lambda connection: plans_by_id(connection, ours))

    def _entries(self, viewer: Viewer, what: What, shown: Sequence[SealedPlan]) -> list[ViewEntry]:
        # Only ids that are stored: what else was sent as one could be anything, a name too.
        ids: list[str | None] = [plan.found.id for plan in shown]
        now, key, attempt = self._clock.now(), self._sealer.viewer_key(viewer.user), secrets.token_hex(16)
        return [ViewEntry(now, key, str(viewer.role), viewer.call_ref, attempt, plan, what) for plan in ids or [None]]

    async def _try_recorded(self, viewer: Viewer, entries: Sequence[ViewEntry]) -> bool:
        """Record a try if there is one left, else its refusal. Says whether there was."""
        key = self._sealer.viewer_key(viewer.user)
        spooled = self._spool.kept(key, viewer.call_ref)
        refusal = self._entries(viewer, What.REFUSED, ())

        def record(connection: Connection) -> bool:
            lock_for_writing(connection, plan_views)
            left = spooled + views.wrong_tries(connection, key, viewer.call_ref) < self._tries
            views.append(connection, entries if left else refusal)
            return left

        try:
            return await self._write(record)
        except PlanStoreFailed:
            left = spooled < self._tries
            self._keep(entries if left else refusal)
            return left

    async def _record(self, entries: Sequence[ViewEntry]) -> None:
        try:
            await self._write(partial(views.append, entries=entries))
        except PlanStoreFailed:
            self._keep(entries)

    def _keep(self, entries: Sequence[ViewEntry]) -> None:
        for entry in entries:
            self._spool.keep(entry)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        with _store_errors():
            return await self._database.write(work)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        _log.error("plan_store_failed", error=type(error).__name__)
        raise PlanStoreFailed("the plan database did not answer; nothing was changed") from error
