"""What happens to alerts in time, as tables: at a minute and second, what happens, and what people are told then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alert_rule import RULE

from alerts.errors import SilenceRefused
from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.life.store import AlertStore, metadata
from alerts.model import Escalation, Figures, Notice, Recipient, Rule, ScopeFigures
from alerts.ports import NoticeFailed
from infra.sql import Database, connect_database
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


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(metadata.create_all)
    yield World(database)
    await database.close()


async def test_nobody_takes_it_on(world: World) -> None:
    table = """
         0:00 wait 200 →
         0:30 -        → fired:duty
         5:29 -        →
         5:30 -        → escalated:second
        15:29 restart  →
        15:30 -        → escalated:head
        45:30 -        → escalated:head
        75:30 -        → escalated:head
        76:00 wait 0   → cleared:duty cleared:second cleared:head
        80:00 -        →
    """
    await world.live(table, LADDER)


async def test_somebody_takes_it_on(world: World) -> None:
    table = """
         0:00 wait 200                 →
         0:30 -                        → fired:duty
         5:30 -                        → escalated:second
         6:00 acknowledge longest-wait →
         6:01 acknowledge longest-wait →
        90:00 restart                  →
        91:00 wait 500                 →
        92:00 wait 0                   → cleared:duty cleared:second
        93:00 wait 200                 →
        93:30 -                        → fired:duty
    """
    await world.live(table, LADDER)
    assert not await world.service.acknowledge("no-such-alert", "Sam Example", "page")
    assert await world.record("longest-wait") == [
        "pending for 30 s until it began",
        "fired Callers wait too long: total",
        "sent duty by email: fired",
        "escalated second",
        "sent second by email: escalated",
        "acknowledged Sam Examplepage",
        "resolved Callers wait too long: total",
        "sent duty by email: cleared",
        "sent second by email: cleared",
        "pending for 30 s until it began",
        "fired Callers wait too long: total",
        "sent duty by email: fired",
    ]


FLAPPING = """
     0:00 wait 200 → fired:duty
     2:00 wait 0   → cleared:duty
     4:00 wait 200 → fired:duty
     6:00 wait 0   → cleared:duty
     8:00 wait 200 → fired:duty
    10:00 wait 0   → cleared:duty
    12:00 wait 200 → fired:duty
    14:00 wait 0   →
    20:00 wait 200 →
    22:00 wait 130 →
    24:00 wait 0   →
"""


async def test_what_fires_and_clears_again_and_again_is_told_once_until_it_is_steady(world: World) -> None:
    table = """
        34:00 wait 130 →
        36:00 wait 0   →
        50:59 -        →
        51:00 -        → cleared:duty
        52:00 wait 200 → fired:duty
        53:00 wait 0   →
        68:00 -        → cleared:duty
       150:00 wait 200 → fired:duty
       151:00 wait 0   → cleared:duty
    """
    await world.live(FLAPPING.rstrip() + table, replace(RULE, who=(DUTY,), for_s=0))
    fired = [each for each in world.mail.taken if each.kind == "fired"]
    assert [each.where for each in fired] == [*["total"] * 3, *["total (on and off again and again)"] * 2, "total"]
    assert "flapping 4 times in an hour: over when clear for 15 minutes" in await world.record("longest-wait")


async def test_what_is_flapping_still_looks_for_somebody_to_take_it_on(world: World) -> None:
    table = """
        24:30 -                        → escalated:second
        25:00 acknowledge longest-wait →
        30:00 wait 200                 →
        31:00 wait 0                   →
        46:00 restart                  →
        61:00 -                        → cleared:duty cleared:second
    """
    rule = replace(RULE, who=(DUTY,), for_s=0, escalate=(Escalation(750, (SECOND,)),))
    await world.live(FLAPPING.rstrip() + table, rule)


async def test_somebody_who_cannot_be_reached_is_not_waited_for(world: World) -> None:
    table = """
        0:00 wait 200       →
        0:29 bounces duty   →
        0:30 -              → escalated:second
       10:29 -              →
       10:30 -              → escalated:head
       10:31 wait 0         → cleared:second cleared:head
    """
    await world.live(table, LADDER)
    assert "failed duty by email: fired" in await world.record("longest-wait")


async def test_a_silence_holds_notices_back_and_no_longer_than_it_says(world: World) -> None:
    table = """
         0:00 silence longest-wait 20 →
         1:00 wait 200                →
         1:30 -                       →
        19:59 restart                 →
        20:00 -                       → fired:duty
        21:00 silence longest-wait 60 →
        50:00 -                       →
        51:00 lift                    → escalated:second
        52:00 wait 0                  → cleared:duty cleared:second
    """
    await world.live(table, LADDER)


async def test_what_was_silenced_to_its_end_tells_nobody(world: World) -> None:
    table = """
         0:00 silence longest-wait 20 →
         1:00 wait 200                →
         1:30 -                       →
         2:00 wait 0                  →
        21:00 -                       →
    """
    await world.live(table, LADDER)
    assert await world.record("longest-wait") == [
        "silenced Sam Examplea test of the sirens",
        "pending for 30 s until it began",
        "fired Callers wait too long: total",
        "held silenced by Sam Example",
        "resolved Callers wait too long: total",
    ]


@pytest.mark.parametrize(
    ("alert", "reason", "minutes", "told"),
    [
        ("longest-wait", "", 10, "say why"),
        ("longest-wait", "  ", 10, "say why"),
        ("longest-wait", "a test", 0, "24 hours at most"),
        ("longest-wait", "a test", 24 * 60 + 1, "24 hours at most"),
        ("critical", "a test", 4 * 60 + 1, "4 hours at most"),
        ("gone", "a test", 10, "no rule"),
    ],
)
async def test_a_silence_is_short_and_has_a_reason(
    world: World, alert: str, reason: str, minutes: int, told: str
) -> None:
    world.rules = (LADDER, CRITICAL)
    with pytest.raises(SilenceRefused, match=told):
        await world.worker().silence(alert, "Sam Example", reason, world.in_minutes(minutes))


async def test_what_the_city_suffers_from_hides_what_a_provider_does(world: World) -> None:
    inhibited = replace(KINGS, inhibited_by=("critical",))
    table = """
         0:00 wait 700       → fired:duty
         1:00 wait kings 700 →
         2:00 -              →
         3:00 wait 0         → cleared:duty fired:duty
         4:00 wait kings 0   → cleared:duty
         5:00 wait kings 200 →
         5:30 -              → fired:duty
    """
    await world.live(table, CRITICAL, inhibited)
    assert "held inhibited by critical" in await world.record("kings-slow")


async def test_another_providers_trouble_hides_nothing(world: World) -> None:
    guys_down = replace(KINGS, name="guys-down", scope="provider:guys", for_s=0)
    table = """
         0:00 wait guys 700  → fired:duty
         1:00 wait kings 700 →
         1:30 -              → fired:duty
    """
    await world.live(table, guys_down, replace(KINGS, inhibited_by=("guys-down",)))


async def test_alerts_of_one_group_are_one_notice(world: World) -> None:
    group = [replace(each, group="slow", group_wait_s=20, for_s=0) for each in (RULE, KINGS)]
    table = """
        0:00 wait 200          →
        0:10 wait kings 500    →
        0:20 -                 → fired:duty
        1:00 wait 0            → cleared:duty
        2:00 wait kings 0      → cleared:duty
    """
    await world.live(table, *(replace(each, who=(DUTY,)) for each in group))
    fired = world.mail.taken[0]
    assert fired.alerts == ("kings-slow", "longest-wait")
    assert fired.also == ("Callers wait too long: total, 3 min 20 s",)


async def test_one_key_takes_on_all_that_a_notice_told(world: World) -> None:
    group = [replace(each, group="slow", for_s=0, who=(DUTY,)) for each in (RULE, KINGS)]
    world.waits["kings"] = 500
    await world.live("0:00 wait 200 → fired:duty", *group)
    assert await world.service.acknowledge(world.mail.taken[0].alert, "Sam Example", "voice")
    assert {await world.phase("longest-wait"), await world.phase("kings-slow")} == {"acknowledged"}


async def test_a_rule_that_is_removed_while_it_fires(world: World) -> None:
    table = """
        0:00 wait 200             →
        0:30 -                    → fired:duty
        1:00 removed longest-wait → cleared:duty
        2:00 restart              →
    """
    await world.live(table, LADDER, CRITICAL)
    assert (await world.record("longest-wait"))[-2] == "rule_removed Callers wait too long: total"


async def test_a_provider_that_is_taken_out_of_the_file_while_its_alert_fires(world: World) -> None:
    table = "0:00 wait kings 200 →\n0:30 - → fired:duty\n1:00 gone kings → cleared:duty"
    await world.live(table, replace(LADDER, scope="each provider"))
    assert (world.mail.taken[-1].kind, world.mail.taken[-1].where) == ("cleared", "kings (there no more)")


async def test_what_nobody_can_judge_any_more_escalates_and_is_not_told_for_ever(world: World) -> None:
    table = """
         0:00 wait 200   →
         0:30 -          → fired:duty
         1:00 gone total →
        15:30 -          → escalated:second
        25:30 -          → escalated:head
        75:00 -          →
    """
    await world.live(table, LADDER)
    assert list(world.service.unjudged) == ["longest-wait"]
    await world.live("76:00 wait 200 → escalated:head", LADDER)


async def test_a_receipt_that_says_no_leads_to_the_next_channel_and_then_to_the_next_person(world: World) -> None:
    table = """
        0:00 wait 200 →
        0:30 -        → fired:duty
    """
    other_way = Recipient("duty", "email", "duty@elsewhere")
    await world.live(table, replace(LADDER, who=(replace(DUTY, then=(other_way,)),)))
    fired = world.mail.taken[0]
    for _ in range(2):  # receipts come twice
        await world.service.receipt(fired.id, "email", "duty@localhost", delivered=False)
    await world.service.tick()
    assert [each.recipient.address for each in world.mail.taken] == ["duty@localhost", "duty@elsewhere"]
    await world.service.receipt(fired.id, "email", "duty@elsewhere", delivered=False)
    await world.service.tick()
    assert [each.kind for each in world.mail.taken][2:] == ["escalated"]


async def test_mail_that_comes_back_later_leads_to_the_next_channel_then_and_from_then_on(world: World) -> None:
    texts = Mail()
    rule = replace(LADDER, who=(replace(DUTY, then=(Recipient("duty", "text", "+447700900123"),)),), for_s=0)
    notifiers = {"email": world.mail, "text": texts}
    service = AlertService([rule], world.figures, notifiers, OutageStore(world.store, world.clock), world.clock)

    async def heard() -> tuple[int, int]:
        for _ in range(3):
            await service.tick()
        return len(world.mail.taken), len(texts.taken)

    world.waits["total"] = 200
    assert await heard() == (1, 0)
    await world.store.bounce("DUTY@localhost", world.clock.now())
    assert await heard() == (1, 1)
    assert await service.bounced() == [("duty", world.clock.now())]
    world.waits["total"] = 0
    assert await heard() == (2, 2), "it is mailed all the same: perhaps it arrives"
    assert "failed duty by email: fired" in await world.record("longest-wait")
    assert await world.store.works_again("duty@LOCALHOST")
    assert not await world.store.works_again("duty@localhost")
    world.waits["total"] = 200
    assert await heard() == (3, 2)


async def test_whom_no_other_channel_reaches_is_not_waited_for_when_mail_comes_back(world: World) -> None:
    await world.live("0:00 wait 200 →\n0:30 - → fired:duty", LADDER)
    await world.store.bounce(DUTY.address, world.clock.now())
    await world.live("0:31 - → escalated:second", LADDER)


async def test_a_receipt_that_says_yes_is_on_record_once(world: World) -> None:
    await world.live("0:00 wait 200 →\n0:30 - → fired:duty", LADDER)
    for delivered in (True, True, False):
        await world.service.receipt(world.mail.taken[0].id, "email", "duty@localhost", delivered=delivered)
    assert [each for each in await world.record("longest-wait") if each.startswith("del")] == [
        "delivered duty by email: fired"
    ]


async def test_two_workers_escalate_once(world: World) -> None:
    await world.live("0:00 wait 200 →\n0:30 - → fired:duty", LADDER)
    world.clock.move(300)
    await world.worker().tick()
    await world.worker().tick()
    assert [each.kind for each in world.mail.taken] == ["fired", "escalated"]


@pytest.mark.parametrize("own", [False, True])
async def test_a_receipt_that_is_quicker_than_our_own_record_leads_to_the_next_channel(world: World, own: bool) -> None:
    """A line that is engaged says so before it is written down that the call was dialled; in memory as in SQL."""

    class Engaged:
        async def send(self, notice: Notice) -> None:
            await service.receipt(notice.id, "voice", notice.recipient.address, delivered=False)

    by_voice = Recipient("duty", "voice", "+447700900123", (DUTY,))
    rule = replace(LADDER, who=(by_voice,), for_s=0)
    store = OutageStore(world.store, world.clock, [rule.name] if own else [])
    service = AlertService([rule], world.figures, {"voice": Engaged(), "email": world.mail}, store, world.clock)
    world.waits["total"] = 200
    for _ in range(3):
        await service.tick()
    assert [each.recipient for each in world.mail.taken] == [DUTY]


async def test_a_receipt_of_what_was_told_from_memory_leads_to_the_next_channel_once(world: World) -> None:
    rule = replace(LADDER, who=(replace(HEAD, then=(DUTY,)),), for_s=0)
    store = OutageStore(world.store, world.clock, [rule.name])
    service = AlertService([rule], world.figures, {"email": world.mail}, store, world.clock)
    world.waits["total"] = 200
    await service.tick()
    for _ in range(2):
        await service.receipt(world.mail.taken[0].id, "email", HEAD.address, delivered=False)
        await service.tick()
    assert [each.recipient.name for each in world.mail.taken] == ["head", "duty"]


async def test_a_channel_that_is_down_costs_seconds_where_there_is_another_and_gets_its_two_minutes_where_not(
    world: World,
) -> None:
    class Down:
        def __init__(self) -> None:
            self.tried: list[str] = []

        async def send(self, notice: Notice) -> None:
            self.tried.append(notice.recipient.name)
            raise NoticeFailed("voice_unreachable")

    down = Down()
    by_voice = Recipient("duty", "voice", "+447700900123", (DUTY,))
    only_voice = Recipient("head", "voice", "+447700900124")
    rule = replace(LADDER, who=(by_voice, only_voice), escalate=(), for_s=0)
    service = AlertService([rule], world.figures, {"voice": down, "email": world.mail}, world.store, world.clock)
    world.waits["total"] = 200
    told_after = None
    for second in range(200):
        await service.tick()
        if world.mail.taken and told_after is None:
            told_after = second
        world.clock.move(1)
    assert [each.recipient for each in world.mail.taken] == [DUTY]
    assert told_after == 13  # after 0, 4 and 12 seconds, and a look at what is due
    assert (down.tried.count("duty"), down.tried.count("head")) == (3, 6)
