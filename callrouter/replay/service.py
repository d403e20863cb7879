"""Replay: the calls of a time through another version, beside the version in which each began."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from callrouter.events import Recorded
from callrouter.handover import SignedIn
from callrouter.journal import Journal
from callrouter.publishing.content import Content
from callrouter.publishing.errors import OutOfRange, UnknownVersion
from callrouter.publishing.service import Publishing
from callrouter.replay.player import Player, Undetermined
from callrouter.replay.report import Compared, Report, report
from callrouter.replay.tape import record, version_of
from infra.crypto import SealError

MOST_CALLS = 20_000
"""Of one replay: some minutes of work. The newest are taken, and the report says that it was cut."""


@dataclass(slots=True)
class Progress:
    """How far a replay is: ``done`` of so many ``calls``; of none while it has not begun.

    ``again``: how often it was begun again, because the process that worked on it had ended.
    """

    done: int = 0
    calls: int = 0
    again: int = 0


class Replay:
    """Reads the journal and the versions; changes nothing."""

    def __init__(self, journal: Journal, publishing: Publishing) -> None:
        self._journal = journal
        self._publishing = publishing

    async def run(
        self, version: str, start: datetime, end: datetime, who: SignedIn, progress: Progress | None = None
    ) -> Report:
        """Play every call that was offered from ``start`` until before ``end`` through ``version``.

        ``progress`` is kept up to date meanwhile. The engine plays on a thread of its own, a call at a time.
        Raises a :class:`callrouter.approvals.Refused`: an unknown version, or a time that ends before it begins.
        """
        if end <= start:
            raise OutOfRange("the time ends before it begins")
        draft = await self._publishing.content(version, who)
        pairs: dict[str, Pair | None] = {}
        refs = await self._journal.offered_between(start, end, MOST_CALLS + 1)
        progress = progress or Progress()
        progress.calls = min(len(refs), MOST_CALLS)
        compared = []
        for ref in refs[:MOST_CALLS]:
            compared.append(await self._compare(ref, draft, pairs, who))
            progress.done += 1
        return report(version, compared, is_cut=len(refs) > MOST_CALLS)

    async def _compare(self, call_ref: str, draft: Content, pairs: dict[str, Pair | None], who: SignedIn) -> Compared:
        try:
            recorded = await self._journal.read(call_ref)
        except SealError:
            return Compared(None, None, "the recording cannot be opened")
        began_in = version_of(recorded)
        if began_in not in pairs:
            pairs[began_in] = await self._pair(began_in, draft, who)
        pair = pairs[began_in]
        if pair is None:
            return Compared(None, None, "the version of then is not known")
        return await asyncio.to_thread(pair.compare, recorded)  # calls in progress come first

    async def _pair(self, version: str, draft: Content, who: SignedIn) -> Pair | None:
        try:
            return Pair(await self._publishing.content(version, who), draft)
        except UnknownVersion:
            return None


class Pair:
    """The version in which calls began, and a draft."""

    def __init__(self, was: Content, draft: Content) -> None:
        self._was = was.flow
        self._then = Player(was.flow, was.flow, was.lengths)
        self._now = Player(draft.flow, was.flow, draft.lengths)

    def compare(self, recorded: Sequence[Recorded]) -> Compared:
        """One recorded call in both."""
        tape = record(recorded, self._was)
        if tape is None:
            return Compared(None, None, "the call went on with an earlier one")
        try:
            then = self._then.play(tape)
        except Undetermined:
            return Compared(None, None, "the recording does not lead to an end of its own")
        try:
            return Compared(then, self._now.play(tape))
        except Undetermined as reason:
            return Compared(then, None, str(reason))
