"""The alert service through its door: ticks in, notices out, over failing channels and restarts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from alert_calls import NOON
from alert_rule import RULE
from sqlalchemy.exc import IntegrityError

from alerts.life.outage import OutageStore
from alerts.life.service import AlertService, Retry
from alerts.life.store import AlertStore, Change, metadata
from alerts.model import AlertState, Figures, Notice, Recipient, Rule, ScopeFigures, page_of
from alerts.notices.wording import body, subject
from alerts.ports import NoticeFailed
from infra.sql import Database, connect_database
from tests.hand_clock import HandClock

SCREEN = Recipient("Control room screen", "webhook", "http://localhost/notices")


class Inbox:
    """A channel that keeps what it is given, after failing as often as told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.taken: list[Notice] = []
        self.took = asyncio.Event()

    async def send(self, notice: Notice) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(notice)
        self.took.set()

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.taken]


class Silent:
    """A channel that never answers."""

    async def send(self, notice: Notice) -> None:
        await asyncio.Event().wait()


class House:
    """The service over a real store, with a wait that the test sets."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = HandClock(NOON)
        self.wait_s: float | None = 0.0
        self.mail = Inbox()
        self.screen = Inbox()
        self.calls = Inbox()

    def figures(self) -> Figures | None:
        if self.wait_s is None:
            return None
        total = ScopeFigures(scope="total", name="Whole service", longest_wait_s=self.wait_s)
        kings = ScopeFigures(scope="kings", name="King's 111", longest_wait_s=self.wait_s / 2)
        return Figures(self.clock.now(), total, (kings,))

    def service(self, *rules: Rule, retry: Retry = Retry(), own: tuple[str, ...] = ()) -> AlertService:  # noqa: B008
        channels = {"email": self.mail, "webhook": self.screen, "voice": self.calls}
        store = OutageStore(AlertStore(self.database), self.clock, own) if own else AlertStore(self.database)
        return AlertService(rules or (RULE,), self.figures, channels, store, self.clock, retry)

    async def live(self, service: AlertService, seconds: int, wait_s: float | None) -> None:
        self.wait_s = wait_s
        for _ in range(seconds):
            await service.tick()
            self.clock.passed += 1


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


async def test_one_notice_when_it_fires_and_one_when_it_clears(house: House) -> None:
    service = house.service()
    await house.live(service, 90, wait_s=200)
    assert house.mail.kinds == ["fired"]
    await house.live(service, 30, wait_s=150)
    assert house.mail.kinds == ["fired"]
    await house.live(service, 30, wait_s=100)
    assert house.mail.kinds == ["fired", "cleared"]


async def test_flapping_before_it_fires_tells_nobody(house: House) -> None:
    service = house.service()
    for _ in range(5):
        await house.live(service, 20, wait_s=200)
        await house.live(service, 1, wait_s=100)
    assert house.mail.taken == []


async def test_a_restart_tells_nobody_twice(house: House) -> None:
    await house.live(house.service(), 40, wait_s=200)
    await house.live(house.service(), 40, wait_s=200)
    await house.live(house.service(), 5, wait_s=0)
    await house.live(house.service(), 5, wait_s=0)
    assert house.mail.kinds == ["fired", "cleared"]


async def test_a_restart_before_it_fires_does_not_delay_it(house: House) -> None:
    await house.live(house.service(), 20, wait_s=200)
    await house.live(house.service(), 11, wait_s=200)
    assert house.mail.kinds == ["fired"]


async def test_figures_that_are_not_known_clear_nothing(house: House) -> None:
    await house.live(house.service(), 40, wait_s=200)
    service = house.service()
    await house.live(service, 10, wait_s=None)
    await house.live(service, 10, wait_s=200)
    assert house.mail.kinds == ["fired"]


async def test_two_workers_tell_once(house: House) -> None:
    one, other = house.service(), house.service()
    house.wait_s = 200
    for _ in range(40):
        await asyncio.gather(one.tick(), other.tick())
        house.clock.passed += 1
    assert house.mail.kinds == ["fired"]


async def test_the_rule_of_one_provider_watches_that_provider(house: House) -> None:
    service = house.service(replace(RULE, scope="provider:kings"), replace(RULE, name="gone", scope="provider:gone"))
    await house.live(service, 40, wait_s=200)
    assert house.mail.taken == []
    await house.live(service, 40, wait_s=400)
    assert [(each.where, each.value) for each in house.mail.taken] == [("King's 111", 200.0)]


async def test_a_notice_says_what_where_since_when_how_bad_what_helps_and_where_to_look(house: House) -> None:
    service = house.service()
    await house.live(service, 31, wait_s=200)
    await house.live(service, 1, wait_s=500)
    await house.live(service, 1, wait_s=100)
    fired, cleared = house.mail.taken
    assert subject(fired) == "[WARNING] Callers wait too long: Whole service, 3 min 20 s"
    assert body(fired) == (
        "What: Callers wait too long\n"
        "Where: Whole service\n"
        "Since: Mon 02 Jun 2025 12:00:00 BST\n"
        "How bad: Longest wait since offered: 3 min 20 s (alert from 3 min 0 s, worst so far 3 min 20 s)\n"
        "What usually helps: More handlers.\n"
        f"Look here: http://localhost/alerts/{page_of('longest-wait')}\n"
        f"Notice: {fired.id}\n"
    )
    assert subject(cleared) == "[CLEARED] Callers wait too long: Whole service, 1 min 40 s"
    assert "worst so far 8 min 20 s" in body(cleared)


async def test_every_recipient_gets_the_same_notice(house: House) -> None:
    await house.live(house.service(replace(RULE, who=(*RULE.who, SCREEN))), 40, wait_s=200)
    assert [each.id for each in house.mail.taken] == [each.id for each in house.screen.taken]
    assert len(house.mail.taken) == 1


async def test_people_who_share_a_mailbox_get_one_notice_by_both_names(house: House) -> None:
    deputy = Recipient("Deputy", "email", "duty@localhost", then=(SCREEN,))
    service = house.service(replace(RULE, who=(*RULE.who, deputy)), replace(RULE, name="other", who=(deputy,)))
    await house.live(service, 40, wait_s=200)
    await house.live(service, 5, wait_s=0)
    named = [(each.kind, each.rule, each.recipient.name) for each in house.mail.taken]
    assert sorted(named) == [
        ("cleared", "longest-wait", "Duty manager, Deputy"),
        ("cleared", "other", "Deputy"),
        ("fired", "longest-wait", "Duty manager, Deputy"),
        ("fired", "other", "Deputy"),
    ]


async def test_whoever_shares_a_mailbox_that_fails_is_told_by_another_way_of_any_of_them(house: House) -> None:
    deputy = Recipient("Deputy", "email", "duty@localhost", then=(SCREEN,))
    house.mail.failures = [NoticeFailed("smtp_refused_550", final=True)]
    await house.live(house.service(replace(RULE, who=(*RULE.who, deputy))), 40, wait_s=200)
    assert (house.mail.kinds, house.screen.kinds) == ([], ["fired"])


async def test_a_change_that_cannot_be_kept_is_no_other_workers(house: House) -> None:
    """Nobody would be told of it, for ever, without a word in the log."""
    await house.live(house.service(), 31, wait_s=200)
    (notice,) = house.mail.taken
    with pytest.raises(IntegrityError):
        await AlertStore(house.database).move(Change((AlertState(rule="another"),), (notice,)))


@pytest.mark.parametrize("own", [(), ("longest-wait",)], ids=["stored", "in memory"])
@pytest.mark.parametrize("heard", [False, True])
async def test_a_call_of_which_nothing_is_heard_for_five_minutes_is_given_up_once(
    house: House, own: tuple[str, ...], heard: bool
) -> None:
    rule = replace(RULE, who=(Recipient("Duty manager", "voice", "+447700900123", then=(SCREEN,)),), for_s=0)
    services = [house.service(rule, own=own)] if own else [house.service(rule), house.service(rule)]
    await house.live(services[0], 1, wait_s=200)
    (call,) = house.calls.taken
    if heard:
        await services[-1].receipt(call.id, "voice", call.recipient.address, delivered=True)
    house.clock.passed += 298
    await house.live(services[-1], 1, wait_s=200)
    assert house.screen.kinds == []
    house.clock.passed += 2
    await asyncio.gather(*(each.tick() for each in services))
    await house.live(services[0], 2, wait_s=200)
    assert house.screen.kinds == ([] if heard else ["fired"])
    assert len(house.calls.taken) == 1


async def test_a_failing_channel_is_tried_again_with_growing_pauses(house: House) -> None:
    house.mail.failures = [NoticeFailed("smtp_unreachable")] * 3
    service = house.service()
    await house.live(service, 31, wait_s=200)  # fires and fails at second 30; pauses of 4, 8, 16 s
    await house.live(service, 27, wait_s=200)
    assert house.mail.taken == []
    await house.live(service, 1, wait_s=200)
    assert house.mail.kinds == ["fired"]


async def test_a_channel_that_stays_broken_is_given_up_and_logged_by_ids_only(house: House) -> None:
    house.mail.failures = [NoticeFailed("smtp_unreachable")] * 100
    with structlog.testing.capture_logs() as logs:
        await house.live(house.service(), 300, wait_s=200)
    assert len(house.mail.failures) == 100 - 6
    (failed,) = [each for each in logs if each["event"] == "notice_failed"]
    assert (failed["error_id"], failed["channel"], failed["tries"]) == ("smtp_unreachable", "email", 6)
    assert not any("duty" in str(each).lower() for each in logs)


async def test_a_defect_of_one_channel_silences_no_other(house: House) -> None:
    house.mail.failures = [ZeroDivisionError()] * 100
    service = house.service(replace(RULE, who=(*RULE.who, SCREEN)))
    await house.live(service, 40, wait_s=200)
    await house.live(service, 1, wait_s=0)
    assert house.screen.kinds == ["fired", "cleared"]


async def test_a_channel_that_never_answers_is_bounded(house: House) -> None:
    house.mail = Silent()  # type: ignore[assignment]
    rule = replace(RULE, for_s=0, who=(*RULE.who, SCREEN))
    with structlog.testing.capture_logs() as logs:
        await house.live(house.service(rule, retry=Retry(tries=1, try_s=0.01)), 1, wait_s=200)
    assert house.screen.kinds == ["fired"]
    assert [each["error_id"] for each in logs if each["event"] == "notice_failed"] == ["channel_timed_out"]


async def test_a_channel_that_nobody_set_up_is_logged_at_once(house: House) -> None:
    pager = Recipient("Duty manager", "pager", "7")  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as logs:
        await house.live(house.service(replace(RULE, for_s=0, who=(pager,))), 3, wait_s=200)
    assert [each["error_id"] for each in logs if each["event"] == "notice_failed"] == ["channel_missing"]


async def test_when_one_way_fails_the_same_person_is_told_by_the_next(house: House) -> None:
    house.mail.failures = [NoticeFailed("smtp_unreachable")] * 6
    duty = replace(RULE.who[0], then=(SCREEN,))
    await house.live(house.service(replace(RULE, for_s=0, who=(duty,))), 300, wait_s=200)
    assert (house.mail.kinds, house.screen.kinds) == ([], ["fired"])
    assert house.screen.taken[0].recipient == SCREEN


async def test_an_address_that_does_not_exist_is_not_tried_again(house: House) -> None:
    house.mail.failures = [NoticeFailed("smtp_refused_550", final=True)] * 6
    duty = replace(RULE.who[0], then=(SCREEN,))
    await house.live(house.service(replace(RULE, for_s=0, who=(duty,))), 2, wait_s=200)
    assert (len(house.mail.failures), house.screen.kinds) == (5, ["fired"])


async def test_cleared_never_overtakes_fired(house: House) -> None:
    house.mail.failures = [NoticeFailed("smtp_unreachable")]
    service = house.service()
    await house.live(service, 31, wait_s=200)
    await house.live(service, 3, wait_s=0)
    assert house.mail.taken == []
    await house.live(service, 2, wait_s=0)
    assert house.mail.kinds == ["fired", "cleared"]


async def test_a_notice_left_by_a_worker_that_died_is_still_sent(house: House) -> None:
    house.mail.failures = [NoticeFailed("smtp_unreachable")]
    await house.live(house.service(), 31, wait_s=200)
    await house.live(house.service(), 10, wait_s=200)
    assert house.mail.kinds == ["fired"]


async def test_a_worker_that_dies_in_a_try_leaves_it_to_another(house: House) -> None:
    house.mail.failures = [asyncio.CancelledError()]  # type: ignore[list-item]
    with pytest.raises(asyncio.CancelledError):
        await house.live(house.service(), 31, wait_s=200)
    await house.live(house.service(), 20, wait_s=200)
    assert house.mail.taken == []  # the dead worker's try may still be under way
    await house.live(house.service(), 10, wait_s=200)
    assert house.mail.kinds == ["fired"]


async def test_a_store_that_fails_stops_nothing(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/empty.db")
    house = House(database)
    service = house.service()
    with structlog.testing.capture_logs() as logs:
        await house.live(service, 2, wait_s=200)
    assert {each["event"] for each in logs} == {"alert_check_failed", "alert_delivery_failed"}
    await database.write(metadata.create_all)
    await house.live(service, 40, wait_s=200)
    await database.close()
    assert house.mail.kinds == ["fired"]


async def test_a_receiver_that_hangs_holds_up_no_other_of_its_channel(house: House) -> None:
    class HangsForOne(Inbox):
        async def send(self, notice: Notice) -> None:
            if notice.recipient.name == "hangs":
                await asyncio.Event().wait()
            await super().send(notice)

    house.screen = HangsForOne()
    hangs = replace(SCREEN, name="hangs", address="http://localhost/hangs")
    house.wait_s = 200
    running = asyncio.create_task(house.service(replace(RULE, for_s=0, who=(hangs, SCREEN))).run())
    await asyncio.wait_for(house.screen.took.wait(), 10)
    house.screen.took.clear()
    house.wait_s = 0
    await asyncio.wait_for(house.screen.took.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert house.screen.kinds == ["fired", "cleared"]


async def test_left_running_it_ticks_by_itself(house: House) -> None:
    house.wait_s = 200
    running = asyncio.create_task(house.service(replace(RULE, for_s=0)).run())
    await asyncio.wait_for(house.mail.took.wait(), 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert house.mail.kinds == ["fired"]
