"""Whoever signs in may have the longest name that a sign-in lets through: nothing is refused or cut for it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from alerts.life.store import AlertStore
from callrouter.handover import Role, SignedIn
from callrouter.welfare.notices import WelfareNotices
from callrouter.welfare.service import Left, Welfare
from infra.crypto import KeyRing
from infra.migrate import downgrade_database, upgrade_database
from infra.sql import Database
from tests.hand_clock import HandClock
from tests.message_world import content as message
from tests.message_world import world_on
from tests.publishing_world import a_worker, content

LONG = "Dr " + "x" * 237
AUTHOR = SignedIn(f"{LONG} one", Role.COMMISSIONER, "s-1", name="Sam Example")
SAFETY = SignedIn(f"{LONG} two", Role.CLINICAL_SAFETY, "s-2")
NURSE = SignedIn(f"{LONG} three", Role.CLINICIAN, "s-3")


async def test_a_message_is_written_approved_released_and_stopped(database: Database, tmp_path: Path) -> None:
    world = world_on(database, tmp_path)
    drafted = await world.service.draft(message(), AUTHOR)
    await world.service.approve(drafted.id, drafted.digest, SAFETY)
    await world.service.release(drafted.id, AUTHOR)
    await world.service.stop(drafted.id, NURSE)
    assert await world.markers() == []
    sheet = await world.service.sheet(drafted.id, AUTHOR)
    assert [each.who for each in sheet.steps] == [AUTHOR.shown, SAFETY.user, AUTHOR.shown, NURSE.user]


async def test_a_version_is_written_approved_and_published(database: Database) -> None:
    service, _ = a_worker(database)
    draft = content(1)
    made = await service.draft(draft, "", AUTHOR)
    await service.approve(draft.version, made.row.content_hash, SAFETY)
    await service.publish(draft.version, AUTHOR)
    assert {each.who for each in await service.history(AUTHOR, draft.version)} == {AUTHOR.shown, SAFETY.shown}


async def test_who_took_a_welfare_task_on_is_named_whole(database: Database) -> None:
    now = datetime(2026, 6, 3, 12, tzinfo=UTC)
    welfare = Welfare(
        database, KeyRing(os.urandom(32), os.urandom(32)), HandClock(now), WelfareNotices(AlertStore(database), [])
    )
    await welfare.make(Left("call", "c" * 32, "menu", now, "+447700900123"))
    (task,) = await welfare.tasks(NURSE)
    assert (await welfare.acknowledge(task.id, NURSE)).acknowledged_by == NURSE.user


async def test_the_way_down_and_up_again_leaves_what_nobody_may_change(database: Database, tmp_path: Path) -> None:
    world = world_on(database, tmp_path)
    drafted = await world.service.draft(message(), AUTHOR)
    await downgrade_database(database, "0010")
    await upgrade_database(database)
    steps = await database.read(lambda connection: connection.execute(text('SELECT "by" FROM message_steps')).all())
    assert [AUTHOR.user.startswith(each.by) for each in steps] == [True]
    with pytest.raises(SQLAlchemyError, match="kept as it is"):
        await database.write(lambda connection: connection.execute(text("DELETE FROM message_steps")))
    assert (await world.service.sheet(drafted.id, AUTHOR)).message.id == drafted.id
