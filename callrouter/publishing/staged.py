"""Watches a staged release: each call's outcome from the event stream, kept once; the test; and the stop."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

import structlog

from callrouter.approvals import Refused
from callrouter.journal import Journal
from callrouter.publishing.figures import Stage, figures_of, stage_of
from callrouter.publishing.life import SERVICE
from callrouter.publishing.outcome import COUNTED, Course
from callrouter.publishing.service import Publishing
from callrouter.publishing.sprt import Verdict
from callrouter.publishing.tables import outcomes
from infra.bus import Entry, EventStream
from infra.clock import Clock
from infra.loops import until_next
from infra.sql import Database, insert_once

AWAY_S = 5.0
"""After so long without a step another process may have watched: what it read is read again, from the journal."""

log = structlog.get_logger()


class StagedWatch:
    """Reads the event stream as the group ``staged``, while something is staged. One process at a time, under a lease.

    It begins with what the stream still has, and with what the journal has of the release: no call is missed.
    """

    GROUP = "staged"
    BATCH = 500

    def __init__(
        self, stream: EventStream, journal: Journal, database: Database, publishing: Publishing, clock: Clock
    ) -> None:
        self._stream = stream
        self._journal = journal
        self._database = database
        self._publishing = publishing
        self._clock = clock
        self._stage: Stage | None = None
        self._told: Stage | None = None
        self._calls: dict[str, Course] = {}
        self._stepped_at = float("-inf")

    async def step(self, wait_s: float) -> int:
        """Take in what is new, at most one batch, and act on it; returns how many entries were read."""
        stage = stage_of(self._publishing.snapshot)
        if stage is None:
            if self._stage is not None:
                await self._stream.leave(self.GROUP)
            self._stage, self._calls = None, {}
            await asyncio.sleep(until_next(wait_s))
            return 0
        await self._follow(stage)
        batch = await self._stream.read(self.GROUP, limit=self.BATCH, wait_s=wait_s)
        for _, entry in batch:
            self._hear(stage, entry)
        await self._act(stage, is_now=len(batch) < self.BATCH)
        if batch:
            await self._stream.acknowledge(self.GROUP, [position for position, _ in batch])
        self._stepped_at = self._clock.monotonic()
        return len(batch)

    async def _follow(self, stage: Stage) -> None:
        """Know the calls that began before this process watched."""
        if stage == self._stage and self._clock.monotonic() - self._stepped_at <= AWAY_S:
            return
        await self._stream.join(self.GROUP, durable=False)
        self._stage, self._calls = stage, {}
        async for entry in self._journal.entries_since(stage.since):
            self._hear(stage, entry)

    def _hear(self, stage: Stage, entry: Entry) -> None:
        if entry.kind not in COUNTED:
            return
        if entry.kind == "offered" and entry.at >= stage.since:
            version = entry.facts.get("flow_version")
            if version in (stage.new, stage.old):
                self._calls.setdefault(entry.call_ref, Course(is_new=version == stage.new))
        if (course := self._calls.get(entry.call_ref)) is not None:
            course.hear(entry.kind, entry.at, entry.facts)

    async def _act(self, stage: Stage, *, is_now: bool) -> None:
        now = self._clock.now()
        for course in self._calls.values():
            # while a backlog is read the clock says nothing: an answer may be further on in it
            why = course.danger(now if is_now else stage.since) if course.is_new else ""
            if why:
                await self._stop(stage, why, is_unsafe=True)
                return
        if await self._count(stage, now if is_now else stage.since):
            await self._judge(stage)

    async def _count(self, stage: Stage, now: datetime) -> int:
        known = {
            call_ref: good
            for call_ref, course in self._calls.items()
            if not course.is_counted and (good := course.outcome(now)) is not None
        }
        if known:
            rows = [
                {
                    "call_ref": call_ref, "version": stage.new, "staged_at": stage.since,
                    "is_new": self._calls[call_ref].is_new, "good": good, "at": self._clock.now(),
                }
                for call_ref, good in known.items()
            ]  # fmt: skip
            insert = insert_once(outcomes, self._database.dialect)
            await self._database.write(lambda connection: connection.execute(insert, rows))
        for call_ref in known:
            self._calls[call_ref].is_counted = True
        over = [ref for ref, course in self._calls.items() if course.is_counted and course.end_class]
        for call_ref in over:
            del self._calls[call_ref]
        return len(known)

    async def _judge(self, stage: Stage) -> None:
        standing = (await self._database.read(partial(figures_of, stage=stage))).standing
        if standing.verdict is Verdict.WORSE:
            why = f"worse than {stage.old}: {standing.old_better} to {standing.new_better} in {standing.pairs} pairs"
            await self._stop(stage, why, is_unsafe=False)
        elif standing.verdict is Verdict.NOT_WORSE and stage != self._told:  # each telling is a change for all workers
            await self._publishing.tell_not_worse(stage.new, stage.since, f"after {standing.pairs} pairs of calls")
            self._told = stage

    async def _stop(self, stage: Stage, why: str, *, is_unsafe: bool) -> None:
        log.error("staged_release_stopped", version=stage.new, why=why)
        try:
            if is_unsafe:
                await self._publishing.recall(stage.new, SERVICE, why)
            else:
                await self._publishing.stop(stage.new, SERVICE, why)
        except Refused as refused:
            if refused.status == 503:
                raise  # the database is away: tried again with the next step
            log.info("staged_release_gone", version=stage.new, error_id=refused.error_id)
