"""What others call: match a number, assert a person by a keyed birth date, import plans."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from careplans.audit.chain import What, append_within
from careplans.audit.trail import AuditTrail
from careplans.errors import KeysDoNotFit
from careplans.fitting import check_keys
from careplans.folding import fold
from careplans.model import (
    Candidate,
    ImportReport,
    Match,
    MatchLevel,
    Viewer,
    group_by_person,
    is_nhs_number,
    is_stale,
    london_date,
    unmatchable,
)
from careplans.reading import read_plans, store_errors
from careplans.rows import Row
from careplans.screening import Screened, screen
from careplans.sealing import Sealer
from careplans.showing import born_on
from careplans.store import FoundPlan, plans_by_nhs_number, plans_by_number, plans_by_surname
from careplans.withdrawing import Withdrawal, withdraw_plans
from careplans.writing import Written, write_plans
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.numbers import Number
from infra.sql import Database

KEYS_DO_NOT_FIT = "keys_do_not_fit"
"""Why a look-up is ``unavailable`` where plans are stored under other keys."""
DAILY_TRIES = 5
"""Birth dates that callers from one number may get wrong within a day (docs/safety/rules.md, 3)."""
_log = structlog.get_logger(__name__)
T = TypeVar("T")


class CarePlans:
    """Care and crisis plans. Everything it needs is passed in; it may be shared by all calls of a process.

    It opens no plan: that is for :mod:`careplans.access`.
    """

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        audit: AuditTrail | None = None,
    ) -> None:
        self._database = database
        self._sealer = Sealer(keyring)
        self._clock = clock
        self._audit = audit or AuditTrail(database, keyring, clock)
        self._keys_fit: bool | None = None  # nobody has looked yet

    async def check_keys(self) -> None:
        """Raises :class:`KeysDoNotFit` where stored plans are under keys that this has not got, or what the database
        raises. Until it is asked again and finds otherwise, no look-up says "none".
        """
        try:
            await check_keys(self._database, self._sealer)
        except KeysDoNotFit:
            self._keys_fit = False
            raise
        self._keys_fit = True

    async def match_number(self, number: Number) -> Match:
        """Which plans a calling number may mean: ``none``, ``candidates`` or ``unavailable``, never more.

        One indexed query that opens nothing sealed. Numbers that may never be looked up answer ``none`` with
        ``withheld``, ``carrier_filler`` or ``unreadable_number`` and touch no database. Never raises:
        whatever fails is ``unavailable`` with ``store_failed``, since "no plan" would be untrue; so is that nothing is
        found while :meth:`check_keys` finds fault, with ``keys_do_not_fit``. Its time is for the caller of this
        function to bound.
        """
        refusal = unmatchable(number)
        if refusal is not None:
            return refusal
        try:
            found = await plans_by_number(self._database, self._sealer.number_hashes(str(number.e164)))
            return await self._surely(self._match(found))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must reach a person
            _log.error("plan_match_failed", error=type(error).__name__)
            return _unavailable(error)

    async def enter_search(self, viewer: Viewer) -> None:
        """Enter into the audit that somebody searches; raises :class:`PlanStoreFailed`, and then nobody may."""
        await self._audit.record(viewer, self._audit.entries(viewer, What.SEARCHED))

    async def find_by_nhs_number(self, number: str) -> Match:
        """The plans of a patient for a clinician's search: candidates, restricted people too, nothing opened.

        Spaces and hyphens do not matter; a number that fails its check (modulus 11) is ``none`` with
        ``not_an_nhs_number``. Never raises, as :meth:`match_number`. Who may ask is for the caller of this function to
        see to, and to enter it first (:meth:`enter_search`).
        """
        digits = number.replace(" ", "").replace("-", "")
        if not is_nhs_number(digits):
            return Match(MatchLevel.NONE, "not_an_nhs_number")
        return await self._search(partial(plans_by_nhs_number, hashes=self._sealer.nhs_hashes(digits)), "by_nhs_number")

    async def find_by_name(self, family_name: str, born: date) -> Match:
        """As :meth:`find_by_nhs_number`, by family name and date of birth; ``people`` says how many fit."""
        hashes = self._sealer.surname_hashes(family_name, born)
        if not hashes:
            return Match(MatchLevel.NONE, "no_name")
        return await self._search(partial(plans_by_surname, hashes=hashes), "by_name")

    async def _search(self, find: Callable[[Connection], list[FoundPlan]], reason: str) -> Match:
        try:
            match = await self._surely(self._match(await self._database.read(find)))
        except Exception as error:  # noqa: BLE001 - "no plan" would be untrue
            _log.error("plan_search_failed", error=type(error).__name__)
            return _unavailable(error)
        return replace(match, reason=reason) if match.candidates else match

    async def assert_birth_date(
        self, number: Number, born: date, call_ref: str, *, keyed: bool, shared: bool = False
    ) -> Match:
        """``asserted``, with the plans of the one person on this line born on that day; else as :meth:`match_number`.

        For what a caller gave: it opens nothing and names nobody. A date that was said (``keyed`` false) asserts nobody
        on a line of several people, by their plans or as the caller of this knows (``shared``), nor while plans are
        known to stand under other keys: whose they are cannot be told. Each try is recorded.
        After :data:`DAILY_TRIES` wrong ones from a number within a day, a right one is taken for wrong
        (docs/safety/rules.md, 3). A try that cannot be recorded asserts nothing. Never raises: whatever fails is
        ``unavailable``.
        """
        match = await self.match_number(number)
        if not match.candidates:
            return match
        line = Viewer(user=f"line {number.e164}", role="caller")
        try:
            stored = await read_plans(self._database, [each.plan_id for each in match.candidates])
            right = born_on(self._sealer, stored, born)
            what = What.CHECKED_RIGHT if right else What.CHECKED_WRONG
            entries = self._audit.entries(line, what, [each.found.id for each in right or stored], call_ref=call_ref)
            allowed = await self._audit.within(
                partial(append_within, entries=entries, actors=self._audit.actors(line.user), most_wrong=DAILY_TRIES)
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller goes on to a person
            _log.error("birth_date_check_failed", error=type(error).__name__)
            return Match(MatchLevel.UNAVAILABLE, "store_failed")
        is_shared = shared or match.people > 1 or self._keys_fit is False
        if not (right and allowed) or (is_shared and not keyed):
            return match
        return Match(MatchLevel.ASSERTED, "birth_date", self._candidates([plan.found for plan in right]), people=1)

    async def load(self, rows: Iterable[Row]) -> ImportReport:
        """Store the good rows in one transaction, and report the others by line, field and reason.

        A newer version replaces an older one; an older or equal one changes nothing, so that a repeat is
        harmless. Raises :class:`PlanStoreFailed`, and then nothing of it was stored.
        """
        now = self._clock.now()
        screened = await asyncio.to_thread(screen, rows, london_date(now))
        done = await self._write(partial(self._load, screened=screened, now=now))
        return ImportReport(done.imported, done.updated, done.unchanged, screened.refused, screened.warnings)

    def _load(self, connection: Connection, screened: Screened, now: datetime) -> Written:
        done = write_plans(connection, self._sealer, screened.plans, now)
        for each in screened.gone:
            withdraw_plans(connection, self._sealer, each.source, [Withdrawal(each.plan_id, each.version)], now)
        return done

    async def _surely(self, match: Match) -> Match:
        """``match``; where it is "none", only once the keys are known to fit: mostly that takes no question."""
        if match.outcome is MatchLevel.NONE and not self._keys_fit:
            await self.check_keys()
        return match

    def _match(self, found: Sequence[FoundPlan]) -> Match:
        if not found:
            return Match(MatchLevel.NONE, "no_plan")
        if len(found) == 1:  # nearly always: nothing to compare while somebody waits
            return Match(MatchLevel.CANDIDATES, "by_number", (self._candidate(found[0], ()),), people=1)
        people = len(group_by_person(found))
        reason = "by_number" if people == 1 else "shared_line"
        return Match(MatchLevel.CANDIDATES, reason, self._candidates(found), people)

    def _candidates(self, found: Sequence[FoundPlan]) -> tuple[Candidate, ...]:
        return tuple(self._candidate(plan, also) for plan, also in fold(found, lambda plan: plan))

    def _candidate(self, plan: FoundPlan, also_in: tuple[str, ...]) -> Candidate:
        return Candidate(
            plan_id=plan.id,
            kind=plan.kind,
            source=plan.source,
            author_org=plan.author_org,
            valid_from=plan.valid_from,
            review_by=plan.review_by,
            stale=is_stale(plan.review_by, london_date(self._clock.now())),
            raises=plan.kind.raises,
            also_in=also_in,
            restricted=plan.restricted,
        )

    async def _write(self, work: Callable[[Connection], T]) -> T:
        with store_errors():
            return await self._database.write(work)


def _unavailable(error: Exception) -> Match:
    return Match(MatchLevel.UNAVAILABLE, KEYS_DO_NOT_FIT if isinstance(error, KeysDoNotFit) else "store_failed")
