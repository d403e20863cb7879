"""The journal's calls, read into the history of figures as they change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from alerts.figures.call_backs import KINDS as CALL_BACKS
from alerts.figures.calls import NEEDS, Told, kept_of
from alerts.figures.history import KpiHistory
from alerts.figures.history_rows import Contact
from callrouter.figures.callers import Callers
from callrouter.journal import Journal
from infra.bus import Entry, EventStream

COUNTED = frozenset(NEEDS) | CALL_BACKS

BEFORE = timedelta(days=2)
"""How long before its newest event a call may have begun; it keeps the look to one or two months of the journal."""


class KpiFolder:
    """Reads the event stream as the group ``kpis``; what it keeps of a call is read from the journal.

    So an entry is done with only once the journal has it, and whatever way a call's events came, the row is the same.
    """

    GROUP = "kpis"
    BATCH = 500

    def __init__(
        self, stream: EventStream, journal: Journal, history: KpiHistory, callers: Callers | None = None
    ) -> None:
        """``callers``: who is told of every call that begins."""
        self._callers = callers
        self._stream = stream
        self._journal = journal
        self._history = history
        self.has_all = False
        """Whether the last step read all that the stream had, and was done with it."""

    async def join(self) -> None:
        """Become a reader: calls that change from here on will be counted."""
        await self._stream.join(self.GROUP)

    async def step(self, wait_s: float) -> int:
        """Count the calls of one batch again; returns how many entries are done. The others wait for the journal."""
        self.has_all = False
        batch = await self._stream.read(self.GROUP, limit=self.BATCH, wait_s=wait_s)
        news = [entry for _, entry in batch if entry.kind in COUNTED]
        known: set[tuple[str, int]] = set()
        if news:
            since = min(entry.at for entry in news) - BEFORE
            known = await self.fold({entry.call_ref for entry in news}, since)
            if others := [entry for entry in news if (entry.call_ref, entry.seq) not in known]:
                known |= await self._settled(others, since)
            if self._callers is not None:
                await self._callers.note(news)
        done = [position for position, each in batch if each.kind not in COUNTED or (each.call_ref, each.seq) in known]
        if done:
            await self._stream.acknowledge(self.GROUP, done)
        self.has_all = len(done) == len(batch) < self.BATCH
        return len(done)

    async def _settled(self, others: Sequence[Entry], since: datetime) -> set[tuple[str, int]]:
        """Those that are not waited for: two processes told of one call, and the other's telling stands.

        Or the journal has got them since their call was read; so it is read once more.
        """
        settled = await self._journal.settled(others)
        if settled:
            await self.fold({ref for ref, _ in settled}, since)
        return settled

    async def fold(self, refs: Collection[str], since: datetime, *, anew: bool = False) -> set[tuple[str, int]]:
        """Count these calls as the journal tells them; returns each event of theirs that it has.

        ``anew``: also those of which nothing new is known.
        """
        told = _by_call(await self._journal.told(refs, COUNTED, since))
        contact_of = {ref: _contact(ref, entries) for ref, entries in told.items()}
        parts = await self._history.parts(sorted(set(contact_of.values())))
        more = {ref for contact in set(contact_of.values()) for ref in (contact, *parts.get(contact, ()))} - told.keys()
        if more:
            told |= _by_call(await self._journal.told(more, COUNTED, since))
        contacts: dict[str, dict[str, list[Told]]] = {}
        for ref, entries in told.items():
            read = [
                (e.seq, e.at, e.kind, e.facts)
                for e in entries
                if e.kind in NEEDS and kept_of(e.seq, e.kind, e.facts) is not None
            ]
            if read:
                contacts.setdefault(_contact(ref, entries), {})[ref] = read
        absorbed = [ref for ref, contact in contact_of.items() if contact != ref and ref not in contacts]
        await self._history.keep([Contact(ref, held) for ref, held in contacts.items()], absorbed, anew=anew)
        call_backs = [entry for entries in told.values() for entry in entries if entry.kind in CALL_BACKS]
        await self._history.keep_call_backs(call_backs, {ref: _contact(ref, entries) for ref, entries in told.items()})
        return {(entry.call_ref, entry.seq) for ref in refs for entry in told.get(ref, ())}

    async def fold_between(self, start: datetime, end: datetime) -> int:
        """Count every call that was offered from ``start`` until before ``end`` anew; returns how many that is.

        Each hour between is added up again, whatever had become of it; but not where the journal has no call any more:
        then what was added up is all that is known.
        """
        refs = await self._journal.offered_between(start, end, limit=None)
        found: set[str] = set()
        for first in range(0, len(refs), self.BATCH):
            some = refs[first : first + self.BATCH]
            since = start.astimezone(UTC) - BEFORE
            found |= {ref for ref, _ in await self.fold(some, since, anew=True)}
        if found:
            await self._history.mark(start, end)
        return len(found)


def _by_call(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.call_ref, []).append(entry)
    return found


def _contact(ref: str, entries: Sequence[Entry]) -> str:
    """The call that this one goes on with, or itself."""
    return next((str(e.facts["resumes"]) for e in entries if e.kind == "offered" and e.facts.get("resumes")), ref)
