"""The wallboard's figures, kept live: the day's journal first, then every new event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Literal

from alerts.auditor import Probes
from alerts.figures.calls import NEEDS
from alerts.figures.contacts import UNENDED_KEPT
from alerts.figures.items import Clock as Since
from alerts.figures.items import Kpis, Scope, ScopeKind, Values
from alerts.figures.kpi import LiveFigures
from alerts.figures.tally import Tally
from alerts.figures.waiting import WaitingNow
from alerts.model import LONDON, Figures, MinutePoint
from callrouter.journal import Journal
from infra.bus import Entry, EventStream
from infra.clock import Clock
from infra.errors import StateUnavailable

LONGEST_CALL = timedelta(hours=6)
"""A caller who waits or talks over midnight was offered yesterday: their first events are read too."""


STALE_S = 15.0
"""Figures older than this are not shown: nobody may take the past for now. A step comes at least every few seconds."""


READ_AGAIN_S = 60.0
"""At most so often is the day read again for events that came hours late: a flood of them must not stop the figures."""


PUT_AWAY_EVERY = 5_000
"""After so many events of the day those calls are packed that are over: a few hundred stand as objects at once."""


class Board:
    """Reads the event stream as the group ``figures``. Figures are None until the day has been read."""

    GROUP = "figures"
    BATCH = 500

    def __init__(self, figures: LiveFigures, stream: EventStream, journal: Journal, clock: Clock) -> None:
        self._live = figures
        self._stream = stream
        self._journal = journal
        self._clock = clock
        self._probes = Probes(clock.now())
        self._caught_up = False
        self._told_at: float | None = None
        self._read_at = 0.0

    async def catch_up(self) -> None:
        """Apply what the journal holds of today; what the stream brings again is counted once.

        The stream is joined before, with the oldest entry that it still has: what it has no more, the journal has.
        """
        await self._stream.join(self.GROUP, durable=False)
        live = self._live.anew() if self._live.lacks_entries else self._live
        now = self._clock.now()
        midnight = now.astimezone(LONDON).replace(hour=0, minute=0, second=0, microsecond=0)
        read = 0
        async for entry in self._journal.entries_since(midnight - LONGEST_CALL):
            self._apply(entry, live)
            read += 1
            if read % PUT_AWAY_EVERY == 0:
                live.put_away(now)
        before = now - UNENDED_KEPT  # who has no end may still wait, and stands in the recount
        for entry in await self._journal.told(await self._journal.unended(before), NEEDS.keys(), before):
            self._apply(entry, live)
        self._live = live
        self._caught_up = True
        self._told_at = self._read_at = self._clock.monotonic()

    async def step(self, wait_s: float) -> int:
        """Apply what is new, at most one batch; returns how many entries that was."""
        if not self._caught_up or not self._known() or self._lacks_entries():
            await self.catch_up()
        try:
            batch = await self._stream.read(self.GROUP, limit=self.BATCH, wait_s=wait_s)
        except StateUnavailable:
            self._caught_up = False  # what was appended meanwhile may be gone from the stream when it is back
            raise
        for _, entry in batch:
            self._apply(entry, self._live)
        if batch:
            await self._stream.acknowledge(self.GROUP, [position for position, _ in batch])
        self._told_at = self._clock.monotonic()
        return len(batch)

    def figures(self) -> Figures | None:
        """The figures now; None while the day is still being read, or when nothing was told for :data:`STALE_S`."""
        return self._live.figures(self._clock.now()) if self._known() else None

    def waiting(self, kind: ScopeKind) -> Mapping[Scope, WaitingNow] | None:
        """Who waits now, by scope, for each that has a call in progress; None while unknown."""
        return self._live.waiting(self._clock.now(), kind) if self._known() else None

    def minutes(self, count: int) -> tuple[MinutePoint, ...]:
        """The newest ``count`` minutes, oldest first."""
        return self._live.minutes(self._clock.now(), count) if self._known() else ()

    def without_probe_s(self) -> float | None:
        """For how many seconds no probe of the alert auditor has come; None while that is not known."""
        return self._probes.silent_s(self._clock.now()) if self._known() else None

    def window(self, minutes: int | Literal["today"], kind: ScopeKind, clock: Since = "offered") -> tuple[Kpis, ...]:
        """The figures of the last 1 to 60 ``minutes``, or of today, for each scope of the kind; () while unknown."""
        if not self._known():
            return ()
        now = self._clock.now()
        return (
            self._live.today(now, kind, clock) if minutes == "today" else self._live.window(now, minutes, kind, clock)
        )

    def oddities(self) -> Mapping[str, int]:
        """What of the last hour could not be true or be read, by name; empty while unknown."""
        return self._live.oddities(self._clock.now()) if self._known() else {}

    def tallies(self, day: date, over_by: datetime) -> Mapping[Scope, Tally] | None:
        """What is counted of today in London of calls over before ``over_by``, to be compared; None while unknown."""
        return self._live.tallies(self._clock.now(), day, over_by) if self._known() else None

    def call_backs(self, day: date, over_by: datetime) -> Mapping[Scope, Values] | None:
        """Items of today's call-backs over before ``over_by``, by scope, to be compared; None while unknown."""
        return self._live.call_backs(self._clock.now(), day, over_by) if self._known() else None

    def waited(self, at: datetime) -> Mapping[Scope, WaitingNow] | None:
        """Who waited ``at`` some time in the last hours, by scope, to be compared; None while unknown."""
        return self._live.waited(self._clock.now(), at) if self._known() else None

    def _apply(self, entry: Entry, live: LiveFigures) -> None:
        live.apply(entry)
        self._probes.note(entry)

    def _lacks_entries(self) -> bool:
        return self._live.lacks_entries and self._clock.monotonic() - self._read_at >= READ_AGAIN_S

    def _known(self) -> bool:
        return self._told_at is not None and self._clock.monotonic() - self._told_at <= STALE_S
