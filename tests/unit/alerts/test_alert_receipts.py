"""What became of a notice: receipts, mail that comes back, channels that are down, and who is told then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alert_timeline import DUTY, HEAD, LADDER, Mail, World

from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.model import Notice, Recipient
from alerts.ports import NoticeFailed
from infra.sql import Database


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


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
