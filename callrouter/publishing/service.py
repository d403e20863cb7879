"""Publishing: what pages, the HTTP interface and the command line call. Whoever calls, the same rules hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from callrouter import approvals as ap
from callrouter.handover import SignedIn
from callrouter.publishing import store
from callrouter.publishing.content import Content, Texts
from callrouter.publishing.drafts import Drafts
from callrouter.publishing.errors import NotSound, OtherFlow
from callrouter.publishing.figures import StageFigures, figures_of, stage_of
from callrouter.publishing.life import SERVICE, Life
from callrouter.publishing.model import READERS, WRITERS, Row, State, Step, Version
from callrouter.publishing.published import Check, PublishedFlows
from callrouter.publishing.snapshot import STRAIGHT_TO_111, Snapshot
from infra.clock import Clock
from infra.health import Health
from infra.revisions import Follower, advance
from infra.sql import Database

NAME = "flows"
"""The revision that every worker follows."""

MOST_STEPS = 500
MOST_LISTED = 100
T = TypeVar("T")
log = structlog.get_logger()


class Publishing:
    """The versions of the one flow that this service answers with.

    Every method that changes something raises a :class:`callrouter.approvals.Refused` and changes nothing, or has
    changed it for the next call here, and within a second everywhere. ``StoreAway`` where the database is away.
    """

    def __init__(
        self, database: Database, flows: PublishedFlows, clock: Clock, check: Check, drafts: Drafts, *,
        approval_life: timedelta,
    ) -> None:  # fmt: skip
        self._database = database
        self._flows = flows
        self._clock = clock
        self._check = check
        self._drafts = drafts
        self._approval_life = approval_life
        self._listed: dict[str, Content] = {}
        self._follower = Follower(database, NAME, flows.load, flows.keep)

    # ------------------------------------------------------------------ reading

    async def versions(self, who: SignedIn) -> list[Version]:
        """Every version, the last written first."""
        ap.require_role(who, READERS)
        return await self._read(
            lambda connection: [
                self._seen(connection, each.version) for each in store.listed(connection, self._flows.name)
            ]
        )

    async def version(self, version: str, who: SignedIn) -> Version:
        """One version; raises UnknownVersion."""
        ap.require_role(who, READERS)
        return await self._read(lambda connection: self._seen(connection, version))

    async def content(self, version: str, who: SignedIn) -> Content:
        """What callers meet in a version; raises UnknownVersion."""
        ap.require_role(who, READERS)
        return await self._read(lambda c: store.content_of(c, store.get(c, version)))

    async def history(self, who: SignedIn, version: str | None = None) -> list[Step]:
        """Who did what, newest first: with one version, or with all."""
        ap.require_role(who, READERS)
        return await self._read(lambda connection: store.steps_of(connection, version, MOST_STEPS))

    async def staged(self, who: SignedIn) -> StageFigures | None:
        """What the calls of the staged release say so far; None where nothing is staged."""
        ap.require_role(who, READERS)
        stage = stage_of(self._flows.snapshot)
        return None if stage is None else await self._read(partial(figures_of, stage=stage))

    @property
    def language(self) -> str:
        """The language under which the prompts' texts are kept."""
        return self._flows.language

    @property
    def live_version(self) -> str:
        """What callers meet now who are not part of a staged release."""
        live = self._flows.snapshot.live_at(self._clock.now())
        return live.version if live is not None else STRAIGHT_TO_111.version

    @property
    def snapshot(self) -> Snapshot:
        """What this worker serves now."""
        return self._flows.snapshot

    # ------------------------------------------------------------------ changing

    async def draft_files(
        self, files: Mapping[str, str], start: str, texts: Texts, note: str, who: SignedIn
    ) -> Version:
        """Put in a new version as text: flow files by name, and new prompts. Raises NotSound, naming file and line."""
        ap.require_role(who, WRITERS)
        content = await asyncio.to_thread(self._drafts.read, files, start, texts)
        return await self.draft(content, note, who)

    async def read_draft(self, flow: str, prompts: str, who: SignedIn) -> Content:
        """What a person has written: a whole flow, and new prompts. Raises NotSound with the lines; keeps nothing."""
        ap.require_role(who, WRITERS)
        return await asyncio.to_thread(self._drafts.read_whole, flow, prompts)

    async def problems(self, content: Content, who: SignedIn) -> list[str]:
        """What the check says of a content that need not be a version yet."""
        ap.require_role(who, READERS)
        return await self._problems(content)

    async def draft(self, content: Content, note: str, who: SignedIn) -> Version:
        """Put in a new version and check it."""
        if content.flow.flow != self._flows.name:
            raise OtherFlow(f"this service answers with {self._flows.name}, not with {content.flow.flow}")
        await self._write(who, lambda life: life.draft(content, note))
        return await self.check(content.version, who)

    async def check(self, version: str, who: SignedIn) -> Version:
        """Check it (again): services, prompts and rules may have changed. Its problems are in the row."""
        problems = await self._problems(await self.content(version, who))
        await self._write(who, lambda life: life.checked(version, problems))
        return await self.version(version, who)

    async def approve(self, version: str, shown: str, who: SignedIn) -> Version:
        """Agree to the content whose hash is ``shown``: what ``who`` has read, not what is there by now."""
        await self._write(who, lambda life: life.approve(version, shown, self._approval_life))
        return await self.version(version, who)

    async def publish(self, version: str, who: SignedIn) -> Version:
        """Live for the next call."""
        await self._require_sound(version, who)
        await self._write(who, lambda life: life.publish(version))
        return await self.version(version, who)

    async def schedule(self, version: str, when: datetime, who: SignedIn) -> Version:
        """Live from ``when`` on, by itself."""
        await self._require_sound(version, who)
        await self._write(who, lambda life: life.schedule(version, when))
        return await self.version(version, who)

    async def stage(self, version: str, share: float, who: SignedIn) -> Version:
        """Live for a share of calls, and compared with the live version."""
        await self._require_sound(version, who)
        await self._write(who, lambda life: life.stage(version, share))
        return await self.version(version, who)

    async def stop(self, version: str, who: SignedIn, note: str = "") -> Version:
        """End a schedule or a staged release, or give up a draft; alone, at any hour."""
        await self._write(who, lambda life: life.stop(version, note))
        return await self.version(version, who)

    async def roll_back(self, who: SignedIn, note: str = "") -> None:
        """Back to the version before; calls in progress finish. Alone, at any hour."""
        await self._write(who, lambda life: life.roll_back(note, self._flows.usable))

    async def recall(self, version: str, who: SignedIn, note: str = "") -> Version:
        """Unsafe: calls in progress go to 111 at their next wait. Alone, at any hour."""
        await self._write(who, lambda life: life.recall(version, note, self._flows.usable))
        return await self.version(version, who)

    # ------------------------------------------------------------------ by itself

    async def follow(self, health: Health) -> None:
        """Keep this worker's copy fresh and make live what is due, until cancelled."""

        async def beside() -> None:
            self._tell(health)
            await self.settle()

        await self._follower.follow(health, beside=beside)

    def _tell(self, health: Health) -> None:
        """Whether this worker gives callers the version that people made live."""
        if refused := self._flows.refused_live:
            health.failed("flow", f"version_{refused}_not_served_here")
        elif not health.works("flow"):
            health.ok("flow")

    async def refresh(self) -> None:
        """Take over now what has changed."""
        await self._follower.look()

    async def begin(self, *, replace: bool, budget_s: float) -> None:
        """Bring the versions in force into memory, the shipped flow among them (:meth:`Life.ship`).

        Without the database, those that this machine had last, else none: callers go straight to 111. With ``replace``
        (development) the shipped flow then. Nobody waits longer than ``budget_s`` for it.
        """
        # before the store is asked: what it says later, even after the budget, must be what stays
        if not await asyncio.to_thread(self._flows.start_from_file) and not replace:
            self._flows.start_without()
        try:
            async with asyncio.timeout(budget_s):
                await self.ship(self._flows.shipped, replace=replace)
        except Exception as error:  # noqa: BLE001 - a process that does not start serves nobody
            log.error("flows_not_loaded", error=type(error).__name__)  # callers come first

    async def ship(self, shipped: Content, *, replace: bool) -> None:
        """Put in a flow that came with the service, as :meth:`Life.ship` says."""
        ship = partial(self._ship, shipped=shipped, replace=replace)
        if done := await self._changing(ship):
            log.info("flow_shipped", version=shipped.version, became=done)
        await self.refresh()

    def _ship(self, connection: Connection, *, shipped: Content, replace: bool) -> str:
        return Life(connection, self._flows.name, SERVICE, self._clock.now()).ship(shipped, replace=replace)

    async def tell_not_worse(self, version: str, since: datetime, note: str) -> None:
        """Record, once, what the calls of a staged release have shown. To release it to all is for people."""
        await self._changing(
            lambda c: Life(c, self._flows.name, SERVICE, self._clock.now()).tell_once(version, "not_worse", since, note)
        )

    async def settle(self) -> None:
        """Write down what a schedule has brought about; callers meet it already."""
        due = self._flows.snapshot.due_at
        if due is not None and due <= self._clock.now():
            await self._changing(lambda c: Life(c, self._flows.name, SERVICE, self._clock.now()).settle())
            await self.refresh()

    async def _require_sound(self, version: str, who: SignedIn) -> None:
        if problems := await self._problems(await self.content(version, who)):
            raise NotSound(problems)

    async def _problems(self, content: Content) -> list[str]:
        return [*await asyncio.to_thread(self._check, content)]  # calls go on beside a long proof

    def _seen(self, connection: Connection, version: str) -> Version:
        row = store.get(connection, version)
        life = Life(connection, self._flows.name, SERVICE, self._clock.now(), self._content_for_a_list)
        done = row.state in (State.RECALLED, State.WITHDRAWN, State.LIVE)
        return Version(
            row, store.approvals_of(connection, row), () if done else life.touches(row),
            "" if done else life.needs(row, self._clock.now()),
        )  # fmt: skip

    def _content_for_a_list(self, connection: Connection, row: Row) -> Content:
        """A version's content, read once: a list of fifty would read them all each time. Who releases reads it anew."""
        known = self._listed.get(row.version)
        if known is None or known.hash != row.content_hash:
            while len(self._listed) >= MOST_LISTED:
                self._listed.pop(next(iter(self._listed)), None)  # other lists are read at the same time
            known = self._listed[row.version] = store.content_of(connection, row)
        return known

    async def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._database.read(work)
        except (SQLAlchemyError, OSError) as error:
            raise ap.StoreAway("the versions cannot be read now: try again") from error

    async def _write(self, who: SignedIn, work: Callable[[Life], None]) -> None:
        try:
            await self._changing(lambda c: work(Life(c, self._flows.name, who, self._clock.now())))
        except (SQLAlchemyError, OSError) as error:
            raise ap.StoreAway("the database is away: look what is live, then try again") from error
        try:
            await self.refresh()
        except (SQLAlchemyError, OSError) as error:  # it is done: this worker takes it over at its next look
            log.warning("flows_not_refreshed", error=type(error).__name__)

    async def _changing(self, work: Callable[[Connection], T]) -> T:
        def counted(connection: Connection) -> T:
            advance(connection, NAME)  # first: changes come one after another, and are seen whole
            return work(connection)

        return await self._database.write(counted)
