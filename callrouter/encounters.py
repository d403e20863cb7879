"""Completed calls become encounters: the index by which a third call in 96 hours is noticed."""

from __future__ import annotations

from callrouter.journal import Journal
from callrouter.repeat import RepeatCalls
from callrouter.view import fold
from infra.bus import Entry, EventStream

COUNTED = frozenset({"answered", "answer_unknown"})
"""End classes of a contact in which a person spoke with the caller, or may have: doubt counts for the caller."""


class EncounterIndexer:
    """Reads the event stream as the group ``encounters``, and the journal for what is personal."""

    GROUP = "encounters"
    BATCH = 100

    def __init__(self, stream: EventStream, journal: Journal, repeats: RepeatCalls) -> None:
        self._stream = stream
        self._journal = journal
        self._repeats = repeats
        stream.join(self.GROUP)

    async def step(self, wait_s: float) -> int:
        """Index what has ended, at most one batch; returns how many entries were read.

        A call whose journal is not written yet is left for the next step: nothing is acknowledged past it.
        """
        batch = await self._stream.read(self.GROUP, limit=self.BATCH, wait_s=wait_s)
        done = 0
        for position, entry in batch:
            if not await self._index(entry):
                break
            await self._stream.acknowledge(self.GROUP, position)
            done += 1
        return done

    async def _index(self, entry: Entry) -> bool:
        if entry.kind != "ended" or entry.facts.get("end_class") not in COUNTED:
            return True
        view = fold(await self._journal.read(entry.call_ref))
        if view is None or view.offered_at is None:
            return False
        if view.number is not None and view.answered_at is not None:
            await self._repeats.keep(entry.call_ref, view.number, view.offered_at)
        return True
