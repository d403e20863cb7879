"""What a worker serves: only what is sound here, the last good one else, over restarts and without the store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from callrouter.flows import load_flow
from callrouter.publishing.content import read_content, seal
from callrouter.publishing.published import Texts
from callrouter.publishing.snapshot import STRAIGHT_TO_111
from callrouter.publishing.soundness import SoundCheck, recordings
from infra.migrate import upgrade_database
from infra.sql import Database, connect_database
from tests.hand_clock import HandClock
from tests.publishing_world import ANN, CHECK, SAFE, TEXTS, a_worker, approved, content
from tests.service import LONDON, PROMPTS, PROVIDERS

SHIPPED = content()


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    made = connect_database(f"sqlite:///{tmp_path}/versions.db")
    await upgrade_database(made)
    return made


def test_every_shipped_flow_survives_its_way_into_the_store_and_back() -> None:

    for file in sorted(LONDON.parent.glob("*.yaml")):
        written = seal(load_flow(file), {"en": PROMPTS}, {"hello": "00"})
        again = read_content(written.text())
        assert (again.version, again.hash, again.flow) == (written.version, written.hash, written.flow)


def test_a_text_or_a_recording_makes_another_version() -> None:
    flow = content().flow
    versions = {
        seal(flow, {"en": TEXTS}, {}).version,
        seal(flow, {"en": {**TEXTS, "hello": "Good morning."}}, {}).version,
        seal(flow, {"en": TEXTS}, {"hello": "ab"}).version,
    }
    assert len(versions) == 3


def test_the_flow_for_when_none_is_left_passes_the_check() -> None:
    assert CHECK(seal(STRAIGHT_TO_111, {"en": TEXTS}, {})) == []


async def test_live_version_that_is_not_sound_here_leaves_the_last_good_one(database: Database) -> None:
    writer, _ = a_worker(database)
    await writer.ship(SHIPPED, replace=False)
    there, here = a_worker(database)
    await there.refresh()
    assert here.for_dialled("111", "c").version == SHIPPED.version
    here._check = lambda each: ["no line for it here"] if each.version != SHIPPED.version else []
    await writer.publish(await approved(writer, content(1)), ANN)
    await there.refresh()
    assert here.for_dialled("111", "c").version == SHIPPED.version
    await writer.recall(SHIPPED.version, SAFE)  # and where that one is recalled, straight to a person
    await there.refresh()
    assert here.for_dialled("111", "c").version == STRAIGHT_TO_111.version


async def test_content_that_is_not_what_its_hash_says_is_never_served(database: Database) -> None:
    writer, _ = a_worker(database)
    await writer.ship(SHIPPED, replace=False)
    version = await approved(writer, content(1))
    await writer.publish(version, ANN)
    forged = content(1).text().replace("press 1", "press 2").replace("Press 1", "Press 2")

    def forge(connection: object) -> None:
        connection.execute(text("DROP TRIGGER flow_versions_kept"))  # type: ignore[attr-defined]
        change = text("UPDATE flow_versions SET content = :forged WHERE version = :version")
        connection.execute(change.bindparams(forged=forged, version=version))  # type: ignore[attr-defined]

    await database.write(forge)
    there, here = a_worker(database)
    await there.refresh()
    assert here.for_dialled("111", "c").version == SHIPPED.version
    assert here.text("en", "hello") == TEXTS["hello"]


async def test_a_worker_that_starts_without_the_store_has_what_its_machine_had_last(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "flows.json"
    writer, _ = a_worker(database, kept_in=file)
    await writer.ship(SHIPPED, replace=False)
    version = await approved(writer, content(1))
    await writer.publish(version, ANN)
    nowhere = connect_database(f"sqlite:///{tmp_path}/no/folder.db")
    starting, flows = a_worker(nowhere, kept_in=file)
    await starting.begin(replace=False, budget_s=20)
    assert flows.for_dialled("111", "c").version == version
    assert flows.version("london-111", SHIPPED.version) is not None
    file.write_text("[{}]")
    starting, flows = a_worker(nowhere, kept_in=file)
    await starting.begin(replace=False, budget_s=20)
    assert flows.for_dialled("111", "c").version == SHIPPED.version


async def test_the_follower_outlives_a_store_that_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    database = connect_database(f"sqlite:///{folder}/versions.db")
    service, flows = a_worker(database)
    following = asyncio.create_task(service.follow())
    await asyncio.sleep(0)  # it looks, and finds no folder
    assert flows.for_dialled("111", "c").version == SHIPPED.version
    folder.mkdir()
    await upgrade_database(database)
    writer, _ = a_worker(database)
    await writer.ship(content(5), replace=False)
    async with asyncio.timeout(20):
        while flows.for_dialled("111", "c").version == SHIPPED.version:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # it polls by itself
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await database.close()


def test_a_prompt_without_its_recording_is_a_problem_where_callers_hear_recordings(tmp_path: Path) -> None:
    check = SoundCheck(PROVIDERS.services, tmp_path)
    for key in TEXTS:
        (tmp_path / f"{key}.wav16").write_bytes(key.encode())
    sounds = recordings(tmp_path, TEXTS)
    flow = content().flow
    assert check(seal(flow, {"en": TEXTS}, sounds)) == []
    (tmp_path / "hello.wav").write_bytes(b"recorded anew")
    assert check(seal(flow, {"en": TEXTS}, sounds)) == ["hello: the recording here is not the one of this version"]
    for file in tmp_path.glob("hello.*"):
        file.unlink()
    assert "nobody has recorded" in check(seal(flow, {"en": TEXTS}, sounds))[0]
    assert recordings(None, TEXTS) == {}


def test_texts_are_those_of_the_published_versions_then_the_shipped() -> None:
    _, flows = a_worker(None, HandClock())  # type: ignore[arg-type]
    texts = Texts(flows, "en", {"hello": "shipped", "music": "la la"})
    assert (texts["hello"], texts["music"], texts.get("nothing")) == (TEXTS["hello"], "la la", None)
    assert set(texts) == {*TEXTS, "music"}
    assert len(texts) == len(TEXTS) + 1
