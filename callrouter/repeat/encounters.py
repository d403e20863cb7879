"""Completed calls become encounters: the index by which a third call in 96 hours is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from callrouter import events as ev
from callrouter.journal import Journal, unseal
from callrouter.repeat.contacts import Completed, RepeatCalls
from callrouter.view import fold
from infra.bus import Entry, EventStream, Position
from infra.clock import Clock
from infra.crypto import KeyRing, SealError

COUNTED = frozenset({"answered", "answer_unknown"})
"""End classes of a contact in which a person spoke with the caller, or may have: doubt counts for the caller."""

MOST_OPEN = 50_000
"""Calls that end at another reader of the group are never told to have ended here; the journal knows them, too."""

WITHOUT_BEGINNING = timedelta(minutes=5)
"""After its end; a writer of the journal that died has been replaced long before, and with it what it had in hand."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Contact:
    """A call in which somebody answered; ``number`` is None for one that cannot be found again anyway."""

    number: str | None
    started: datetime
    provider: str = ""
    context: str = ""
    resumes: str | None = None


@dataclass(frozen=True, slots=True)
class _Open:
    """A call in progress: its first entry, still sealed, and whether somebody has answered."""

    first: Entry
    answered_by: str | None = None


class EncounterIndexer:
    """Reads the event stream as the group ``encounters``; the journal only for calls that began before it did."""

    GROUP = "encounters"
    BATCH = 100  # soon done: what a slow reader has in hand for 3 s goes to another, and its lease lasts for 4

    def __init__(
        self,
        stream: EventStream,
        journal: Journal,
        repeats: RepeatCalls,
        keys: KeyRing,
        clock: Clock,
        owners: Mapping[str, str] | None = None,
    ) -> None:
        """``owners``: the ODS code of each provider, by its id, under which its own reports name it."""
        self._owners = dict(owners or {})
        self._stream = stream
        self._journal = journal
        self._repeats = repeats
        self._keys = keys
        self._clock = clock
        self._open: dict[str, _Open] = {}

    async def join(self) -> None:
        """Become a reader: calls that end from here on will be indexed."""
        await self._stream.join(self.GROUP)

    async def step(self, wait_s: float) -> int:
        """Index what has ended, at most one batch; returns how many entries were read.

        A call whose journal is not written yet is left for the next step: nothing is acknowledged past it. One that
        has an end there and no beginning is given up after :data:`WITHOUT_BEGINNING`, for those behind it.
        """
        batch = await self._stream.read(self.GROUP, limit=self.BATCH, wait_s=wait_s)
        done: list[Position] = []
        completed: list[Completed] = []
        for position, entry in batch:
            if not await self._index(entry, completed):
                break
            done.append(position)
        await self._repeats.keep_all(completed)
        if done:
            await self._stream.acknowledge(self.GROUP, done)
        return len(done)

    async def _index(self, entry: Entry, completed: list[Completed]) -> bool:
        """Take an entry in; False: not yet. A call in which a person was there is added to ``completed``."""
        call = self._open.get(entry.call_ref)
        match entry.kind:
            case "offered" if call is None:
                self._open[entry.call_ref] = _Open(entry)
                if len(self._open) > MOST_OPEN:
                    del self._open[next(iter(self._open))]
            case "leg_answered" if call is not None:
                self._open[entry.call_ref] = replace(call, answered_by=str(entry.facts.get("provider", "")))
            case "ended":
                done = entry.facts.get("end_class") not in COUNTED or await self._complete(entry, call, completed)
                if done:
                    self._open.pop(entry.call_ref, None)
                return done
        return True

    async def _complete(self, ended: Entry, call: _Open | None, completed: list[Completed]) -> bool:
        """Add the call if a person was there; False if the journal has still to tell."""
        call_ref = ended.call_ref
        try:
            known = self._from_stream(call) if call and call.answered_by is not None else None
            known = known or await self._from_journal(ended)
        except SealError:
            log.error("encounter_unreadable", call_ref=call_ref)  # one such call must not stop the index
            return True
        if known is None:
            return False
        if known.number is not None:
            # a call resumed after we cut it off is the same contact (docs/safety/rules.md, 4): kept once, as the first
            provider = self._owners.get(known.provider, known.provider)
            ref = known.resumes or call_ref
            completed.append(Completed(ref, known.number, known.started, provider, known.context))
        return True

    def _from_stream(self, call: _Open) -> _Contact | None:
        offered = unseal(call.first, self._keys)
        if not isinstance(offered, ev.Offered):
            return None
        provider = call.answered_by or ""
        return _Contact(offered.number, call.first.at, provider, offered.context, offered.resumes)

    async def _from_journal(self, ended: Entry) -> _Contact | None:
        view = fold(await self._journal.read(ended.call_ref))
        if view is None or view.ended_at is None:
            return None
        if view.offered_at is None:
            if self._clock.now() - ended.at < WITHOUT_BEGINNING:
                return None
            # events were lost (Redis came back without its data): whose contact it was, nobody will ever tell
            log.error("encounter_lost", call_ref=ended.call_ref)
            return _Contact(None, ended.at)
        number = view.number if view.answered_at else None
        return _Contact(number, view.offered_at, view.provider or "", view.context, view.resumes)
