"""The rules of front-end messages: who may do what with them, what voids an approval, who hears which."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callrouter.handover import Role, SignedIn
from callrouter.messages.errors import ContentRefused
from callrouter.messages.model import Message, Offer, OfferKind, Places, Wording
from infra.numbers import Number, NumberClass
from infra.sql import Database
from tests.message_world import (
    ADA,
    ANN,
    BEN,
    BROMLEY_LINE,
    CAZ,
    DEV,
    HAL,
    MOBILE,
    NIGHT,
    TUESDAY,
    World,
    content,
    offer,
    refused,
    template,
    world_on,
)

DAY = timedelta(days=1)


@pytest.fixture
async def world(sqlite: Database, tmp_path: Path) -> World:
    return world_on(sqlite, tmp_path)


SAME_SESSION = SignedIn("Zoe", Role.CLINICAL_SAFETY, ANN.session)
SAME_NAME = SignedIn("  ANN ", Role.CLINICAL_SAFETY, "another")


@pytest.mark.parametrize(
    ("who", "error_id"),
    [(SAME_NAME, "own_work"), (SAME_SESSION, "same_session"), (HAL, "role_missing"), (ADA, "role_missing")],
)
async def test_the_wrong_person_approves_nothing(world: World, who: SignedIn, error_id: str) -> None:
    drafted = await world.service.draft(content(), ANN)
    assert await refused(world.service.approve(drafted.id, drafted.digest, who)) == error_id
    assert await refused(world.service.release(drafted.id, ANN)) == "clinical_safety_missing"


@pytest.mark.parametrize(
    "change",
    [
        {"wordings": {"en": replace(offer().wordings["en"], text="Other words.")}},
        {"title": "Another name"},
        {"offer": Offer(OfferKind.PHARMACY, "Dr Other")},
        {"places": Places(everywhere=True)},
        {"services": ("dental",)},
        {"starts_at": TUESDAY + timedelta(minutes=1)},
        {"expires_at": TUESDAY + timedelta(hours=3)},
        {"priority": 1},
        {"marker": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_any_change_voids_an_approval(world: World, change: dict[str, object]) -> None:
    approved = await world.approved(offer())
    await world.service.edit(approved.id, replace(approved.content, **change), DEV)
    assert await refused(world.service.release(approved.id, ANN)) == "content_changed"
    assert await refused(world.service.approve(approved.id, approved.digest, CAZ)) == "content_changed"


async def test_sound_that_nobody_heard_before_voids_an_approval(world: World) -> None:
    polish = {"en": Wording("English."), "pl": Wording("Po polsku.")}
    approved = await world.approved(content(wordings=polish))
    world.voice.languages.add("pl")
    await world.service.edit(approved.id, approved.content, DEV)  # the words are the same; now they are spoken, too
    assert await refused(world.service.release(approved.id, ANN)) == "content_changed"
    assert await refused(world.service.approve(approved.id, approved.digest, CAZ)) == "content_changed"


async def test_who_approved_and_then_rewrote_it_counts_no_longer(world: World) -> None:
    approved = await world.approved()
    await world.service.edit(approved.id, replace(approved.content, priority=1), CAZ)
    await world.service.edit(approved.id, approved.content, CAZ)  # the digest that Caz approved stands again
    assert await refused(world.service.release(approved.id, ANN)) == "clinical_safety_missing"


async def test_an_approval_is_used_within_its_time(world: World) -> None:
    late = await world.approved(content(starts_at=TUESDAY + 14 * DAY, expires_at=TUESDAY + 15 * DAY))
    assert await refused(world.service.release(late.id, ANN)) == "approval_expired"
    soon = await world.approved(content(expires_at=TUESDAY + 30 * DAY))
    world.clock.move(14 * DAY.total_seconds())
    assert await refused(world.service.release(soon.id, ANN)) == "approval_expired"


async def test_what_is_live_is_not_rewritten(world: World) -> None:
    live = await world.released()
    assert await refused(world.service.edit(live.id, content(priority=1), ANN)) == "wrong_phase"
    assert await refused(world.service.approve(live.id, live.digest, CAZ)) == "wrong_phase"
    assert await refused(world.service.release(live.id, ANN)) == "wrong_phase"


@pytest.mark.parametrize("doing", ["draft", "newest", "stop"])
async def test_a_call_handler_does_nothing_here(world: World, doing: str) -> None:
    live = await world.released()
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "draft": lambda: world.service.draft(content(), HAL),
        "newest": lambda: world.service.newest(HAL),
        "stop": lambda: world.service.stop(live.id, HAL),
    }
    assert await refused(calls[doing]()) == "role_missing"
    assert await world.markers() == ["norovirus"]


async def test_only_two_are_heard_by_priority_and_for_twenty_seconds(world: World) -> None:
    for marker, priority, words in (("third", 3, 10), ("first", 1, 10), ("long", 2, 40), ("second", 2, 40)):
        wording = {"en": Wording(" ".join(["word"] * words))}
        await world.released(content(marker=marker, priority=priority, wordings=wording))
    assert await world.markers() == ["first", "long"]
    wording = {"en": Wording(" ".join(["word"] * 45))}
    await world.released(content(marker="urgent", priority=1, starts_at=TUESDAY - DAY, wordings=wording))
    assert await world.markers() == ["urgent", "first"]


async def test_who_hears_it(world: World) -> None:
    await world.released(content(marker="bromley", places=Places(areas=("bromley",))))
    await world.released(content(marker="line", places=Places(dialled=("+442079460199",))))
    await world.released(content(marker="prefix", places=Places(cli_prefixes=("+44770090",))))
    await world.released(content(marker="polish", places=Places(everywhere=True), wordings={
        "en": Wording("English."), "pl": Wording("Po polsku."),
    }))  # fmt: skip
    assert await world.markers() == ["polish"]
    assert await world.markers(number=BROMLEY_LINE) == ["bromley", "polish"]
    assert await world.markers(area="BR1 1AA") == ["bromley", "polish"]
    assert await world.markers(area="bromley") == ["bromley", "polish"]
    assert await world.markers(area="south_east") == ["polish"]
    assert await world.markers(dialled="+442079460199") == ["line", "polish"]
    assert await world.markers(number=MOBILE) == ["prefix", "polish"]
    assert await world.markers(language="pl", area="bromley") == ["polish"]
    assert await world.markers(language="cy") == []


async def test_a_message_for_a_board_is_heard_in_all_of_its_boroughs_and_nowhere_else(world: World) -> None:
    await world.released(content(marker="board", places=Places(areas=("south_east",))))
    await world.released(content(marker="croydon", places=Places(areas=("croydon",))))
    for where in ("BR1 1AA", "se1 7eh", "lewisham", "southwark", "south_east"):
        assert await world.markers(area=where) == ["board"], where
    assert await world.markers(number=BROMLEY_LINE) == ["board"]
    assert await world.markers(area="CR0 2YR") == ["croydon"]  # a district of two boroughs, Croydon one of them
    for elsewhere in ("NW1 2AB", "sutton", "south_west", "M1 1AE", ""):
        assert await world.markers(area=elsewhere) == [], elsewhere
    assert await world.markers(number=MOBILE) == []


async def test_where_areas_overlap_two_are_heard_by_priority_and_each_once(world: World) -> None:
    areas = {"borough": ("bromley", "lewisham"), "board": ("south_east", "bromley"), "city": ("london",)}
    for priority, (marker, held) in enumerate(areas.items(), 1):
        await world.released(content(marker=marker, priority=priority, places=Places(areas=held)))
    assert await world.markers(area="bromley") == ["borough", "board"]
    assert await world.markers(area="southwark") == ["board", "city"]
    assert await world.markers(area="camden") == ["city"]


async def test_a_withheld_number_has_no_beginning(world: World) -> None:
    await world.released(content(marker="prefix", places=Places(cli_prefixes=("+44770", "+44770090"))))
    assert await world.markers(number=MOBILE) == ["prefix"]
    assert await world.markers(number=Number(NumberClass.WITHHELD)) == []


async def test_each_language_has_its_own_order_and_its_own_two(world: World) -> None:
    """What is not in a caller's language takes no place; of the same priority the first to start comes first."""
    both = {"en": Wording("English."), "pl": Wording("Po polsku.")}
    await world.released(content(marker="english-only", priority=1))
    await world.released(content(marker="later", priority=3, wordings=both))
    await world.released(content(marker="earlier", priority=3, wordings=both, starts_at=TUESDAY - DAY))
    first = await world.released(content(marker="first", priority=2, wordings=both))
    assert await world.markers() == ["english-only", "first"]
    assert await world.markers(language="pl") == ["first", "earlier"]
    await world.service.stop(first.id, ANN)
    assert await world.markers() == ["english-only", "earlier"]
    assert await world.markers(language="pl") == ["earlier", "later"]


async def test_place_service_language_and_time_hold_all_at_once(world: World) -> None:
    starts, ends = TUESDAY + timedelta(hours=1), TUESDAY + timedelta(hours=3)
    where = Places(areas=("bromley",), dialled=("+442079460199",))
    await world.released(
        content(marker="teeth", places=where, services=("dental", "pharmacy"), starts_at=starts, expires_at=ends)
    )
    meant: dict[str, Any] = {"number": BROMLEY_LINE, "service": "dental"}
    assert await world.markers(**meant) == []  # not yet
    world.clock.time = starts
    for caller, hears in (
        (meant, True),
        ({**meant, "service": "pharmacy"}, True),
        ({**meant, "number": MOBILE, "dialled": "+442079460199"}, True),
        ({**meant, "number": MOBILE, "area": "BR1 1AA"}, True),
        ({**meant, "number": MOBILE}, False),
        ({**meant, "service": ""}, False),
        ({**meant, "service": "111"}, False),
        ({**meant, "language": "pl"}, False),
    ):
        assert await world.markers(**caller) == (["teeth"] if hears else []), caller
    world.clock.time = ends
    assert await world.markers(**meant) == []


async def test_a_message_of_a_service_is_heard_by_those_who_chose_it(world: World) -> None:
    await world.released(content(marker="teeth", services=("dental",)))
    assert await world.markers() == []
    assert await world.markers(service="dental") == ["teeth"]


async def test_without_a_voice_sip_callers_would_hear_nothing(world: World, tmp_path: Path) -> None:
    world = world_on(world.database, tmp_path, needs_sound=True)
    polish = {"en": Wording("English."), "pl": Wording("Po polsku.")}
    drafted = await world.service.draft(content(wordings=polish), ANN)
    assert await refused(world.service.approve(drafted.id, drafted.digest, CAZ)) == "audio_missing"


@pytest.mark.parametrize(
    ("areas", "hours", "error_id"),
    [
        (("camden",), 4, "not_in_template"),
        ((), 4, "not_in_template"),
        (("london",), 4, "not_in_template"),
        (("bromley", "camden"), 4, "not_in_template"),
        (("bromley",), 9, "not_in_template"),
        (("bromley",), 0, "not_in_template"),
    ],
)
async def test_area_and_end_within_the_template_are_all_that_is_chosen(
    world: World, areas: tuple[str, ...], hours: int, error_id: str
) -> None:
    made = await world.approved_template()
    world.clock.time = NIGHT
    assert await refused(world.service.start(made.id, areas, NIGHT + timedelta(hours=hours), ANN)) == error_id


async def test_templates_are_approved_by_two_in_office_hours(world: World) -> None:
    drafted = await world.service.draft(template(), ANN)
    world.clock.time = NIGHT
    assert await refused(world.service.approve(drafted.id, drafted.digest, BEN)) == "outside_office_hours"
    world.clock.time = TUESDAY
    await world.service.approve(drafted.id, drafted.digest, CAZ)
    await world.service.approve(drafted.id, drafted.digest, CAZ)
    world.clock.time = NIGHT
    until = NIGHT + timedelta(hours=1)
    assert await refused(world.service.start(drafted.id, ("bromley",), until, ANN)) == "approval_missing"
    assert await refused(world.service.release(drafted.id, ANN)) == "wrong_phase"


async def test_nobody_starts_a_template_alone_when_others_are_at_work(world: World) -> None:
    made = await world.approved_template()
    until = TUESDAY + timedelta(hours=1)
    assert await refused(world.service.start(made.id, ("bromley",), until, ANN)) == "not_at_night"
    world.clock.time = NIGHT
    until = NIGHT + timedelta(hours=1)
    assert await refused(world.service.start(made.id, ("bromley",), until, HAL)) == "role_missing"
    world.reviewers.anybody = False
    assert await refused(world.service.start(made.id, ("bromley",), until, ANN)) == "nobody_to_tell"


async def test_a_template_lasts_twelve_hours_at_most(world: World) -> None:
    with pytest.raises(ContentRefused) as found:
        await world.service.draft(template(longest_life=timedelta(hours=13)), ANN)
    assert set(found.value.problems) == {"longest_life"}


async def test_free_text_needs_two_at_night_too(world: World) -> None:
    world.clock.time = NIGHT
    drafted = await world.service.draft(content(starts_at=NIGHT, expires_at=NIGHT + timedelta(hours=1)), ANN)
    assert await refused(world.service.release(drafted.id, ANN)) == "clinical_safety_missing"


async def test_one_person_does_not_keep_a_message_on_all_night(world: World) -> None:
    made = await world.approved_template()
    world.clock.time = NIGHT

    def start(who: SignedIn) -> Awaitable[Message]:
        return world.service.start(made.id, ("bromley",), world.clock.now() + timedelta(hours=3), who)

    first = await start(ANN)
    assert await refused(start(DEV)) == "wrong_phase"  # callers would hear the same words twice
    world.clock.move(2 * 3600)
    assert await refused(start(ANN)) == "started_before"  # it has ended, whether or not anybody has looked after it
    await world.service.look_after()
    assert await refused(start(ANN)) == "started_before"
    second = await start(DEV)
    await world.service.stop(second.id, DEV)
    assert await refused(start(DEV)) == "started_before"  # nor by stopping it just before its time
    assert await refused(start(ANN)) == "started_before"
    assert first.id != second.id
    world.clock.move(DAY.total_seconds())
    await start(ANN)


async def test_who_was_reviewed_may_start_it_again(world: World) -> None:
    made = await world.approved_template()
    world.clock.time = NIGHT
    started = await world.service.start(made.id, ("bromley",), NIGHT + timedelta(hours=1), ANN)
    await world.service.review(started.id, DEV)
    world.clock.move(3600)
    await world.service.start(made.id, ("bromley",), NIGHT + timedelta(hours=2), ANN)


async def test_a_message_that_lapsed_while_every_worker_was_down_is_still_written_down_and_told(world: World) -> None:
    made = await world.approved_template()
    world.clock.time = NIGHT
    started = await world.service.start(made.id, ("bromley",), NIGHT + timedelta(hours=3), ANN)
    world.clock.move(10 * 3600)
    await world.service.look_after()
    await world.service.look_after()
    assert [each.kind for each in world.reviewers.heard] == ["needs_review", "stopped_itself"]
    steps = (await world.service.sheet(started.id, ANN)).steps
    assert [each.step for each in steps] == ["started_at_night", "stopped_itself"]


async def test_one_that_was_to_end_before_its_review_is_not_told_of_again(world: World) -> None:
    made = await world.approved_template()
    world.clock.time = NIGHT
    started = await world.service.start(made.id, ("bromley",), NIGHT + timedelta(hours=3), ANN)
    await world.service.shorten(started.id, NIGHT + timedelta(hours=1), ANN)
    world.clock.move(10 * 3600)
    await world.service.look_after()
    assert [each.kind for each in world.reviewers.heard] == ["needs_review"]
