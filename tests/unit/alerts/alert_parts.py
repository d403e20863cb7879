"""Workers over one real database that the test breaks, and what they are told of their parts."""

from __future__ import annotations

from dataclasses import replace

from alert_calls import NOON
from alert_rule import RULE
from sqlalchemy import text

from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.life.store import AlertStore
from alerts.model import OWN_METRICS, Figures, Notice, Parts, Rule, ScopeFigures
from alerts.ports import NoticeFailed
from infra.sql import Database
from tests.hand_clock import HandClock

DOWN = replace(
    RULE, name="down", title="A part does not work", metric="dependency_down_s", threshold=20, clear=1, for_s=0
)
LAG = replace(RULE, name="lag", title="Events wait", metric="journal_lag_s", threshold=60, clear=10, for_s=0)


class Inbox:
    """A channel that keeps what it is given, while it works."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.works = True

    async def send(self, notice: Notice) -> None:
        if not self.works:
            raise NoticeFailed("smtp_unreachable")
        self.taken.append(notice)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(each.rule, each.kind) for each in self.taken]


class World:
    """Workers over one real database that the test breaks by taking its tables away."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = HandClock(NOON)
        self.mail = Inbox()
        self.wait_s: float | None = None
        self.failing: dict[str, float] = {}
        self.lag_s = 0.0

    def figures(self) -> Figures | None:
        if self.wait_s is None:
            return None
        total = ScopeFigures(scope="total", name="Whole service", longest_wait_s=self.wait_s)
        return Figures(self.clock.now(), total, ())

    def parts(self) -> Parts:
        failing = {name: max(0.0, self.clock.passed - since) for name, since in self.failing.items()}
        return Parts({"sql": 0.0, "redis": 0.0} | failing, self.lag_s, "worker one")

    def worker(self, *rules: Rule) -> AlertService:
        own = [each.name for each in rules if each.metric in OWN_METRICS]
        store = OutageStore(AlertStore(self.database), self.clock, own)
        return AlertService(rules, self.figures, {"email": self.mail}, store, self.clock, parts=self.parts)

    async def live(self, seconds: int, *workers: AlertService) -> None:
        for _ in range(seconds):
            for each in workers:
                await each.tick()
            self.clock.passed += 1

    async def take_tables(self) -> None:
        await self._rename("alert_silences", "away_silences")
        await self._rename("alert_states", "away_states")
        await self._rename("alert_notices", "away_notices")

    async def bring_tables(self) -> None:
        await self._rename("away_silences", "alert_silences")
        await self._rename("away_states", "alert_states")
        await self._rename("away_notices", "alert_notices")

    async def _rename(self, old: str, new: str) -> None:
        await self.database.write(lambda connection: connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}")))
