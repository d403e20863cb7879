"""The life of front-end messages on SQLite and PostgreSQL: who may do what, and what callers hear of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from callrouter.announcing import announced
from callrouter.messages.life import EVERYWHERE
from callrouter.messages.model import Content, Phase, Places
from callrouter.model import CallRecord
from infra.sql import Database
from ivr.model import LookupWait
from tests.message_world import (
    ADA,
    ANN,
    BEN,
    BROMLEY_LINE,
    CAZ,
    DEV,
    LANDLINE,
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
def world(database: Database, tmp_path: Path) -> World:
    return world_on(database, tmp_path)


def starts_like_a_wav(sound: str | None) -> bool:
    return sound is not None and Path(f"{sound}.wav16").read_bytes()[:4] == b"RIFF"


def lose_sound(world: World, key: str) -> None:
    Path(f"{world.live.sound_of(key)}.wav16").unlink()


def heard_by(world: World, wait: LookupWait, edge: str = "") -> list[str]:
    """The markers that a caller hears at an announce node; ``edge``: the Asterisk that holds their line."""
    nothing, now = cast(Any, None), world.clock.now()
    record = CallRecord("call", "ctx", "sip", LANDLINE, "111", now, now, nothing, 1, 1, 0, "1.1", {}, edge)
    return [each.marker for each in announced(world.live, record, wait, now)[0].messages]


async def test_a_message_from_draft_to_stop(world: World) -> None:
    drafted = await world.service.draft(content(), ANN)
    assert await world.markers() == []
    await world.service.approve(drafted.id, drafted.digest, CAZ)
    assert await world.markers() == []
    await world.service.release(drafted.id, ANN)
    assert await world.markers() == ["norovirus"]
    await world.service.stop(drafted.id, ADA)
    assert await world.markers() == []
    sheet = await world.service.sheet(drafted.id, ANN)
    assert [(each.step, each.by) for each in sheet.steps] == [
        ("drafted", "Ann"), ("approved", "Caz"), ("released", "Ann"), ("stopped", "Ada"),
    ]  # fmt: skip
    assert sheet.message.phase(TUESDAY) is Phase.STOPPED


async def test_a_message_that_this_release_cannot_read_does_not_keep_another_on(world: World) -> None:
    for marker in ("norovirus", "heat"):
        drafted = await world.service.draft(content(marker=marker), ANN)
        await world.service.approve(drafted.id, drafted.digest, CAZ)
        await world.service.release(drafted.id, ANN)
    assert set(await world.markers()) == {"norovirus", "heat"}
    newer = text("UPDATE messages SET content = '{\"words of a newer release\": 1}' WHERE id <> :id")
    await world.database.write(lambda connection: connection.execute(newer.bindparams(id=drafted.id)))
    await world.service.stop(drafted.id, ADA)
    assert await world.markers() == []


async def test_it_starts_and_ends_by_itself(world: World) -> None:
    await world.released(content(starts_at=TUESDAY + timedelta(hours=1), expires_at=TUESDAY + timedelta(hours=3)))
    assert await world.markers() == []
    world.clock.move(3600)
    assert await world.markers() == ["norovirus"]
    world.clock.move(7200)
    assert await world.markers() == []


@pytest.mark.parametrize("written", [offer(), content(marker="pharmacy")], ids=["an offer", "it only informs"])
async def test_every_message_needs_clinical_safety_whatever_its_author_calls_it(world: World, written: Content) -> None:
    drafted = await world.service.draft(written, ANN)
    await world.service.approve(drafted.id, drafted.digest, BEN)
    assert await refused(world.service.release(drafted.id, ANN)) == "clinical_safety_missing"
    await world.service.approve(drafted.id, drafted.digest, CAZ)
    await world.service.release(drafted.id, ANN)
    assert await world.markers() == ["pharmacy"]


async def test_one_person_shortens_and_nobody_lengthens(world: World) -> None:
    live = await world.released()
    assert await refused(world.service.shorten(live.id, TUESDAY + 2 * DAY, ADA)) == "content_refused"
    assert await refused(world.service.shorten(live.id, TUESDAY - DAY, ADA)) == "content_refused"
    await world.service.shorten(live.id, TUESDAY + timedelta(hours=1), ADA)
    assert await refused(world.service.shorten(live.id, TUESDAY + timedelta(hours=2), ANN)) == "content_refused"
    assert await world.markers() == ["norovirus"]
    world.clock.move(3600)
    assert await world.markers() == []


async def test_prompts_are_spoken_in_order_and_have_text_and_sound(world: World) -> None:
    live = await world.released(offer())
    await world.live.follower.look()
    (heard,) = world.live.valid(dialled="111", number=BROMLEY_LINE, area="", language="en", at=world.clock.now())
    wording = live.content.wordings["en"]
    assert [world.live.texts[key] for key in heard.prompts] == [
        wording.who_should_stay,
        wording.text,
        wording.safety_net,
    ]
    assert [starts_like_a_wav(world.live.sound_of(key)) for key in heard.prompts] == [True] * 3
    assert world.voice.spoken == [wording.who_should_stay, wording.text, wording.safety_net]
    await world.service.stop(live.id, ANN)
    assert await world.markers() == []
    assert world.live.texts[heard.prompts[0]]  # a caller in the middle of it hears it to its end


async def test_an_area_that_is_not_known_hides_no_message_that_is_for_everybody(world: World) -> None:
    await world.released(content(places=Places(everywhere=True)))
    await world.released(content(marker="dental-hours", places=Places(everywhere=True), services=("dental",)))
    await world.live.follower.look()
    for area in ("", "unknown", "elsewhere", "SE1 7EH", "whatever they said"):
        assert heard_by(world, LookupWait("it", "messages", area=area)) == ["norovirus"]
        assert heard_by(world, LookupWait("it", "messages", "dental", area=area)) == ["dental-hours"]


async def test_a_message_whose_sound_is_not_here_is_not_one_that_a_sip_caller_has_heard(world: World) -> None:
    await world.released()
    await world.live.follower.look()
    wait = LookupWait("it", "messages")
    assert heard_by(world, wait, edge="asterisk-1") == ["norovirus"]
    (message,) = world.live.valid(dialled="111", number=LANDLINE, area="", language="en", at=world.clock.now())
    lose_sound(world, message.prompts[0])
    assert heard_by(world, wait, edge="asterisk-1") == []
    assert heard_by(world, wait) == ["norovirus"], "other networks read the words out"


async def test_a_message_that_is_not_what_was_approved_is_neither_released_nor_heard(world: World) -> None:
    live, waiting = await world.released(), await world.approved(content(marker="heat"))
    template = await world.approved_template()
    world.clock.time = NIGHT
    await world.service.start(template.id, ("bromley",), NIGHT + timedelta(hours=2), ANN)
    assert await world.markers(area="bromley") == ["norovirus", "norovirus"]
    change = text("UPDATE messages SET content = replace(content, 'stomach bug', 'plague') WHERE id <> :template")
    await world.database.write(lambda connection: connection.execute(change, {"template": template.id}))
    assert await refused(world.service.release(waiting.id, ANN)) == "content_changed"
    await world.service.stop(waiting.id, ADA)  # whatever happened to it, what is unsafe can be stopped
    assert await world.markers(area="bromley") == []
    assert await refused(world.service.release(live.id, ANN)) == "content_changed"


async def test_a_night_message_reaches_mobile_callers_where_its_template_is_for_everybody(world: World) -> None:
    narrow = await world.approved_template()
    wide = await world.approved_template(template(marker="heat", places=Places(everywhere=True)))
    world.clock.time = NIGHT
    until = NIGHT + timedelta(hours=2)
    assert await refused(world.service.start(narrow.id, (EVERYWHERE,), until, ANN)) == "not_in_template"
    await world.service.start(wide.id, (EVERYWHERE,), until, ANN)
    assert await world.markers(number=MOBILE) == ["heat"]
    assert [each.areas for each in world.reviewers.heard] == ["all callers"]


async def test_a_worker_whose_store_is_down_keeps_what_it_has_until_its_end(world: World) -> None:
    await world.released()
    assert await world.markers() == ["norovirus"]
    await world.database.maintain(lambda connection: connection.execute(text("ALTER TABLE revisions RENAME TO gone")))
    with pytest.raises(SQLAlchemyError):
        await world.live.follower.look()
    caller = {"dialled": "111", "number": BROMLEY_LINE, "area": "", "language": "en"}
    assert len(world.live.valid(at=TUESDAY + timedelta(hours=23), **caller)) == 1
    assert world.live.valid(at=TUESDAY + DAY, **caller) == ()
    await world.database.maintain(lambda connection: connection.execute(text("ALTER TABLE gone RENAME TO revisions")))


async def test_the_record_and_the_approvals_stay_as_they_are(world: World) -> None:
    await world.released()
    kept = {"message_steps": "note = 'x'", "message_approvals": "content = 'x'", "message_audio": "seconds = 1"}
    for table, change in kept.items():
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {change}"):
            with pytest.raises(SQLAlchemyError):
                await world.database.write(lambda connection, it=statement: connection.execute(text(it)))


async def test_an_unknown_message(world: World) -> None:
    assert await refused(world.service.stop("m99", ANN)) == "no_such_message"


async def test_a_night_message_lives_when_a_second_person_reviews_it(world: World) -> None:
    made = await world.approved_template()
    world.clock.time = NIGHT
    started = await world.service.start(made.id, ("bromley",), NIGHT + timedelta(hours=6), ANN)
    assert await world.markers(area="bromley") == ["norovirus"]
    assert await world.markers(area="croydon") == []
    assert [each.kind for each in world.reviewers.heard] == ["needs_review"]
    assert await refused(world.service.review(started.id, ANN)) == "own_work"
    await world.service.review(started.id, DEV)
    world.clock.move(5 * 3600)
    await world.service.look_after()
    assert await world.markers(area="bromley") == ["norovirus"]
    world.clock.move(3600)
    assert await world.markers(area="bromley") == []


async def test_a_night_message_that_nobody_reviews_stops_itself_and_says_so(world: World) -> None:
    made = await world.approved_template()
    world.clock.time = NIGHT
    started = await world.service.start(made.id, ("croydon",), NIGHT + timedelta(hours=6), ANN)
    world.clock.move(2 * 3600 - 1)
    await world.service.look_after()
    assert await world.markers(area="croydon") == ["norovirus"]
    world.clock.move(1)
    assert await world.markers(area="croydon") == []  # by time alone, before anybody looks after it
    assert await refused(world.service.review(started.id, DEV)) == "too_late"
    await world.service.look_after()
    await world.service.look_after()
    assert [each.kind for each in world.reviewers.heard] == ["needs_review", "stopped_itself"]
    sheet = await world.service.sheet(started.id, ANN)
    assert (sheet.steps[-1].step, sheet.steps[-1].by) == ("stopped_itself", "the service")
    assert sheet.message.phase(world.clock.now()) is Phase.STOPPED
