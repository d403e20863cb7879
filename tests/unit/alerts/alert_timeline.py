"""A service whose callers wait as long as a table says: what happens, and what people are told then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alert_rule import RULE

from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.life.store import AlertStore
from alerts.model import Escalation, Figures, Notice, Recipient, Rule, ScopeFigures
from alerts.ports import NoticeFailed
from infra.sql import Database
from tests.hand_clock import HandClock

DUTY, SECOND, HEAD = (Recipient(name, "email", f"{name}@localhost") for name in ("duty", "second", "head"))
LADDER = replace(
    RULE, who=(DUTY,), escalate=(Escalation(300, (SECOND,)), Escalation(600, (HEAD,))), repeat_s=1800
)  # fmt: skip
KINGS = replace(RULE, name="kings-slow", title="King's is slow", scope="provider:kings", who=(DUTY,))
CRITICAL = replace(RULE, name="critical", title="Ten minutes", threshold=600, clear=300, for_s=0, severity="critical",
                   who=(DUTY,))  # fmt: skip


class Mail:
    """Keeps what it is given; an address in ``bounces`` does not exist."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.bounces: set[str] = set()

    async def send(self, notice: Notice) -> None:
        if notice.recipient.name in self.bounces:
            raise NoticeFailed("smtp_refused_550", final=True)
        self.taken.append(notice)


class World:
    """A service whose callers wait as long as a table says. Each row is one check and one delivery, twice."""

    def __init__(self, database: Database) -> None:
        self.store = AlertStore(database)
        self.clock = HandClock()
        self.start = self.clock.now()
        self.mail = Mail()
        self.waits = {"total": 0.0, "kings": 0.0, "guys": 0.0}
        self.rules: tuple[Rule, ...] = ()
        self.service = self.worker()

    def figures(self) -> Figures | None:
        found = {each: ScopeFigures(scope=each, name=each, longest_wait_s=wait) for each, wait in self.waits.items()}
        total = found.pop("total", None)
        return Figures(self.clock.now(), total, tuple(found.values())) if total else None

    def worker(self) -> AlertService:
        store = OutageStore(self.store, self.clock)
        return AlertService(self.rules, self.figures, {"email": self.mail}, store, self.clock)

    async def live(self, table: str, *rules: Rule) -> None:
        """Rows of ``minute:second  what happens  →  what is told then`` (kind:name of each notice, or nothing)."""
        self.rules = rules
        self.service = self.worker()
        for row in table.strip().splitlines():
            when, _, rest = row.strip().partition(" ")
            happens, _, told = rest.partition("→")
            minute, second = when.split(":")
            self.clock.time = self.start + timedelta(minutes=int(minute), seconds=int(second))
            before = len(self.mail.taken)
            await self._happen(*happens.split())
            for _ in range(3):  # who cannot be reached is known after the first
                await self.service.tick()
            found = sorted(f"{each.kind}:{each.recipient.name}" for each in self.mail.taken[before:])
            assert found == sorted(told.split()), row

    async def _happen(self, what: str = "-", *more: str) -> None:
        match what:
            case "wait":
                scope, wait = more if len(more) == 2 else ("total", *more)
                self.waits[scope] = float(wait)
            case "acknowledge":
                assert await self.service.acknowledge(more[0], "Sam Example", "page")
            case "silence":
                await self.service.silence(
                    more[0], "Sam Example", "a test of the sirens", self.in_minutes(int(more[1]))
                )
            case "lift":
                assert await self.service.lift((await self.service.silences())[0], "Sam Example")
            case "bounces":
                self.mail.bounces.add(more[0])
            case "gone":
                del self.waits[more[0]]
            case "restart":
                self.service = self.worker()
            case "removed":
                self.rules = tuple(each for each in self.rules if each.name != more[0])
                self.service = self.worker()

    def in_minutes(self, minutes: int) -> datetime:
        return self.clock.now() + timedelta(minutes=minutes)

    async def phase(self, alert: str) -> str:
        return (await self.store.states())[alert].phase

    async def record(self, alert: str) -> list[str]:
        """The steps of an alert, oldest first."""
        return [f"{each.kind} {each.by}{each.detail}" for each in reversed(await self.store.steps(alert))]
