"""What happens to alerts in time, as tables: at a minute and second, what happens, and what people are told then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from alert_rule import RULE
from alert_timeline import CRITICAL, DUTY, KINGS, LADDER, SECOND, World

from alerts.errors import SilenceRefused
from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.model import Escalation, Figures, ScopeFigures
from infra.sql import Database


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


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


async def test_what_fires_in_a_look_is_told_in_it(world: World) -> None:
    """Its reading is made a moment after the look began."""
    took = timedelta(milliseconds=1)

    def figures() -> Figures:
        total = ScopeFigures(scope="total", name="Whole service", longest_wait_s=900)
        return Figures(world.clock.now() + took, total, ())

    store = OutageStore(world.store, world.clock)
    service = AlertService((CRITICAL,), figures, {"email": world.mail}, store, world.clock)
    await service.tick()
    assert [each.kind for each in world.mail.taken] == ["fired"]
