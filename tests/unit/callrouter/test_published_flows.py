"""What a worker serves: only what is sound here, the last good one else, over restarts and without the store."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from callrouter.approvals import hash_of
from callrouter.flows import load_flow
from callrouter.publishing.content import Content, read_content, seal
from callrouter.publishing.errors import NothingBefore
from callrouter.publishing.model import State
from callrouter.publishing.published import Texts
from callrouter.publishing.snapshot import STRAIGHT_TO_111
from callrouter.publishing.soundness import SoundCheck, recordings
from callrouter.publishing.tables import steps, versions
from infra.health import Health
from infra.migrate import upgrade_database
from infra.sql import Database, connect_database
from ivr.flow import read_flow
from tests.hand_clock import HandClock
from tests.publishing_world import ANN, CHECK, DUTY, SAFE, TEXTS, a_worker, approved, content, flow_data
from tests.service import LONDON, PROMPTS, PROVIDERS

SHIPPED = content()


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


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


async def test_nobody_goes_back_to_a_version_that_callers_cannot_be_given_here(database: Database) -> None:
    first, second, third = SHIPPED, content(1), content(2)
    service, flows = a_worker(database)
    await service.ship(first, replace=False)
    for each in (second, third):
        await service.publish(await approved(service, each), ANN)
    here, flows = a_worker(database)
    flows._check = lambda each: ["no line for it here"] if each.version == second.version else []
    await here.refresh()
    await here.roll_back(DUTY)
    assert (here.live_version, (await here.version(first.version, DUTY)).row.state) == (first.version, State.LIVE)
    with pytest.raises(NothingBefore, match="can be used here"):
        await here.roll_back(DUTY)
    await here.recall(first.version, DUTY)
    assert flows.for_dialled("111", "c").version == STRAIGHT_TO_111.version


async def test_a_worker_that_does_not_serve_what_is_live_says_so(database: Database) -> None:
    service, _ = a_worker(database)
    await service.ship(SHIPPED, replace=False)
    here, flows = a_worker(database)
    health = Health(HandClock())
    flows._check = lambda each: ["no line for it here"] if each.version != SHIPPED.version else []
    await here.refresh()
    here._tell(health)
    assert health.works("flow")
    await service.publish(await approved(service, content(1)), ANN)
    await here.refresh()
    here._tell(health)
    assert [(each.name, each.why) for each in health.parts()] == [
        ("flow", f"version_{content(1).version}_not_served_here")
    ]


async def test_what_an_older_release_published_is_still_met_read_and_taken_back(
    database: Database, tmp_path: Path
) -> None:
    """An older release knew fewer fields, and made its names and hashes of what it knew."""
    old = await as_older_release(database, content(1), "0000000000aa", State.RETIRED)
    live = await as_older_release(database, content(2), "0000000000bb", State.LIVE)
    for file in (tmp_path / "flows.json", tmp_path / "flows.json"):  # the second time from what was kept, too
        service, flows = a_worker(database, shipped=content(3), kept_in=file)
        await service.begin(replace=False, budget_s=20)
        assert flows.for_dialled("111", "c").version == live
        assert flows.version("london-111", old) is not None  # calls in progress go on
    assert {each.row.version for each in await service.versions(SAFE)} == {old, live, content(3).version}
    assert await approved(service, content(4))  # compared with what is live
    nowhere, kept = a_worker(connect_database(f"sqlite:///{tmp_path}/no/folder.db"), kept_in=file)
    await nowhere.begin(replace=False, budget_s=20)
    assert kept.for_dialled("111", "c").version == live
    again = await service.approve(old, (await service.version(old, ANN)).row.content_hash, SAFE)
    assert again.needs == ""
    await service.roll_back(DUTY)
    assert flows.for_dialled("111", "c").version == old


def test_a_field_that_a_flow_leaves_out_does_not_change_its_version() -> None:
    assert content(intent="").version == content().version
    assert content(intent="language").version != content().version


async def test_a_shipped_flow_that_nobody_approved_is_never_what_is_left(database: Database) -> None:
    old, live = content(1), content(2)
    writer, _ = a_worker(database)
    await writer.ship(old, replace=False)
    await writer.publish(await approved(writer, live), ANN)
    there, here = a_worker(database, shipped=content(3))  # a new release: its own file is a draft
    here._check = lambda each: ["no line for it here"] if each.version == live.version else []
    await there.begin(replace=False, budget_s=20)
    assert here.for_dialled("111", "c").version == old.version  # the last that people let callers meet
    there, here = a_worker(database, shipped=content(3))
    here._check = lambda _: ["no line for it here"]
    await there.begin(replace=False, budget_s=20)
    assert here.for_dialled("111", "c").version == STRAIGHT_TO_111.version


async def as_older_release(database: Database, made: Content, version: str, state: State) -> str:
    plain = made.plain()
    for node in plain["flow"]["nodes"].values():
        for field in ("intent", "intents"):
            node.pop(field, None)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=state is State.LIVE)
    row = {
        "version": version, "flow": made.flow.flow, "content_hash": hash_of(plain), "content": json.dumps(plain),
        "note": "", "author": "Ann", "author_session": "", "written_at": at, "live_from": at, "state": state,
        "problems": [],
    }  # fmt: skip
    step = {"at": at, "version": version, "step": "published", "by": "Ann", "role": "commissioner", "note": ""}

    def write(connection: Connection) -> None:
        connection.execute(versions.insert().values(row))
        connection.execute(steps.insert().values(step))

    await database.write(write)
    return version


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
    file.write_text("[{}]")  # nobody can say whether the shipped flow was ever approved
    starting, flows = a_worker(nowhere, kept_in=file)
    await starting.begin(replace=False, budget_s=20)
    assert flows.for_dialled("111", "c").version == STRAIGHT_TO_111.version
    assert flows.text("en", "emergency_999") == TEXTS["emergency_999"]
    starting, flows = a_worker(nowhere)
    await starting.begin(replace=True, budget_s=20)  # development
    assert flows.for_dialled("111", "c").version == SHIPPED.version


async def test_the_follower_outlives_a_store_that_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    database = connect_database(f"sqlite:///{folder}/versions.db")
    service, flows = a_worker(database)
    following = asyncio.create_task(service.follow(Health(HandClock())))
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


NO_SOUND = "languages: no sound of {}: record them, or `callrouter prompts` [missing_sound]"


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
    assert check(seal(flow, {"en": TEXTS}, sounds)) == [NO_SOUND.format("hello")]
    assert recordings(None, TEXTS) == {}


def test_a_language_without_its_sounds_cannot_be_released_and_what_is_live_stays(tmp_path: Path) -> None:
    flow = content().flow.model_copy(update={"languages": ("en", "pl")})
    texts = TEXTS | {f"pl/{key}": "po polsku" for key in TEXTS}
    for key in TEXTS:
        (tmp_path / f"{key}.wav16").write_bytes(key.encode())
    polish = seal(flow, {"en": texts}, recordings(tmp_path, TEXTS))
    check = SoundCheck(PROVIDERS.services, tmp_path)
    (problem,) = check(polish)
    assert problem.startswith("languages: no sound of pl/emergency_999, pl/hello, ")
    assert replace(check, in_force=True)(polish) == [], "its callers hear the first language, not another flow"
    (tmp_path / "pl").mkdir()
    for key in TEXTS.keys() - {"hello"}:
        (tmp_path / "pl" / f"{key}.wav").write_bytes(key.encode())

    assert check(polish) == replace(check, in_force=True)(polish) == [NO_SOUND.format("pl/hello")]


def test_a_flow_that_records_talks_is_sound_however_callers_come(tmp_path: Path) -> None:
    data = flow_data(exits={"nurse": "taped"})
    data["nodes"]["taped"] = {"action": "record", "exits": {"next": "nurses"}}
    for key in TEXTS:
        (tmp_path / f"{key}.wav16").write_bytes(key.encode())
    taped = seal(read_flow(data), {"en": TEXTS}, recordings(tmp_path, TEXTS))

    assert SoundCheck(PROVIDERS.services, None)(taped) == []
    assert SoundCheck(PROVIDERS.services, tmp_path)(taped) == []


def test_texts_are_those_of_the_published_versions_then_the_shipped() -> None:
    _, flows = a_worker(None, HandClock())  # type: ignore[arg-type]
    texts = Texts(flows, "en", {"hello": "shipped", "music": "la la"})
    assert (texts["hello"], texts["music"], texts.get("nothing")) == (TEXTS["hello"], "la la", None)
    assert set(texts) == {*TEXTS, "music"}
    assert len(texts) == len(TEXTS) + 1
