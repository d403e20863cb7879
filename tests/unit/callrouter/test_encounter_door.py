"""Reports of other providers come in by the REST door and by the command line; shared lines by a checked file."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from callrouter.cli.encounters import app as commands
from callrouter.errors import ConfigurationError
from callrouter.plans.pathways import HOUSEHOLD, FoundPlans
from callrouter.repeat.contacts import RepeatCalls
from callrouter.repeat.routes import encounters_router, read_sender_keys
from callrouter.repeat.tables import metadata
from careplans.model import Match, MatchLevel
from infra.crypto import KeyRing
from infra.numbers import Number, read_number
from infra.shared_lines import read_shared_lines
from infra.sql import connect_database
from infra.yamlfile import YamlFileError
from tests.hand_clock import HandClock

THREE = Path(__file__).parents[2] / "data" / "itk" / "three_reports_out_of_order.xml"
NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
KEYS = ("first-key-of-the-sender", "second-key-of-the-sender")
OF_ONE = "key-of-a-sender-of-one-organisation"
SENDERS = ",".join(
    f"{codes}:{hashlib.sha256(key.encode()).hexdigest()}"
    for key, codes in {**dict.fromkeys(KEYS, "XX1+XX2"), OF_ONE: "XX1"}.items()
)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    database = connect_database(f"sqlite:///{tmp_path}/door.db")
    await database.write(metadata.create_all)
    app = FastAPI()
    repeats = RepeatCalls(database, KeyRing(b"m" * 32, b"i" * 32))
    app.include_router(encounters_router(repeats, HandClock(NOW), read_sender_keys(SENDERS)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        yield client
    await database.close()


async def post(door: httpx.AsyncClient, body: bytes, key: str = KEYS[0]) -> httpx.Response:
    return await door.post("/api/encounters", content=body, headers={"Authorization": f"Bearer {key}"})


async def test_a_senders_report_is_kept_once_under_either_of_its_keys(door: httpx.AsyncClient) -> None:
    assert (await post(door, THREE.read_bytes())).json() == {"kept": 3, "known": 0, "skipped": [], "apart": []}
    assert (await post(door, THREE.read_bytes(), KEYS[1])).json() == {"kept": 0, "known": 3, "skipped": [], "apart": []}


async def test_a_message_is_read_and_hashed_beside_the_loop_that_carries_calls(door: httpx.AsyncClient) -> None:
    on_the_loop: set[str] = set()
    sys.setprofile(lambda frame, _what, _of: on_the_loop.add(frame.f_code.co_name))  # of this thread alone
    try:
        sent = await post(door, THREE.read_bytes())
    finally:
        sys.setprofile(None)
    assert sent.json()["kept"] == 3
    assert "keep_external" in on_the_loop
    assert not on_the_loop & {"read_message", "external", "encounter_of"}


async def test_nobody_replaces_the_reports_of_another_organisation(door: httpx.AsyncClient) -> None:
    assert (await post(door, THREE.read_bytes())).json()["kept"] == 3
    newer = THREE.read_bytes().replace(b'<versionNumber value="2"/>', b'<versionNumber value="9"/>')
    answer = (await post(door, newer, OF_ONE)).json()
    skipped = [{"place": 3, "reason": "of an organisation that this key does not report for"}]
    assert answer == {"kept": 0, "known": 2, "skipped": skipped, "apart": []}
    assert (await post(door, newer)).json()["kept"] == 1


@pytest.mark.parametrize("key", ["", "another", KEYS[0].upper()])
async def test_nobody_else_may_send(door: httpx.AsyncClient, key: str) -> None:
    refused = await post(door, THREE.read_bytes(), key)
    assert (refused.status_code, refused.json()["error_id"]) == (401, "key_needed")


async def test_what_cannot_be_read_is_refused_with_its_cause(door: httpx.AsyncClient) -> None:
    refused = await post(door, THREE.read_bytes()[:900])
    assert (refused.status_code, refused.json()["error_id"]) == (422, "itk_unreadable")
    assert "Fictional" not in refused.text
    assert (await post(door, b" " * (2 * 1024 * 1024 + 1))).status_code == 413


async def test_a_sender_is_told_to_send_again_while_the_database_is_away(
    door: httpx.AsyncClient, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "door.db") as file:
        file.execute("DROP TABLE encounter_keys")
    refused = await post(door, THREE.read_bytes())
    assert (refused.status_code, refused.json()["error_id"]) == (503, "store_away")


@pytest.mark.parametrize("text", ["XX1", "XX1:abc", ":" + "a" * 64, "XX1:" + "G" * 64, "south:" + "a" * 64])
def test_keys_that_are_no_hashes_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_sender_keys(text)
    assert text not in str(refused.value)


def test_the_command_line_says_what_the_rule_makes_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    checked = CliRunner().invoke(commands, ["check", str(THREE)])
    assert checked.output.splitlines() == [
        "2026-06-01T10:00:00Z XX1: NRC (fewer_than_two_earlier)",
        "2026-06-02T10:00:00Z XX2: NRC (fewer_than_two_earlier)",
        "2026-06-03T10:00:00Z XX1: RC (same_patient)",
    ]
    imported = CliRunner().invoke(commands, ["import", str(THREE)])  # whatever today is, it is not within 97 hours
    assert imported.exit_code == 1
    assert imported.output.startswith("0 kept, 0 known, 3 not kept")


def test_the_file_of_shared_lines_that_comes_with_the_service_is_right() -> None:
    assert "+442079460055" in read_shared_lines(Path(__file__).parents[3] / "infra" / "shared_lines.yaml")


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ('{number: "+442079460055", kind: house, source: us, verified: false}', "kind"),
        ('{number: "+442079460055", kind: surgery, verified: false}', "expected number, kind, source and verified"),
        ('{number: "four", kind: surgery, source: us, verified: false}', "number: not a telephone number"),
        ('{number: "+442079460055", kind: surgery, source: "", verified: false}', "source"),
    ],
)
def test_a_shared_line_that_is_not_right_is_refused_with_its_line(tmp_path: Path, entry: str, cause: str) -> None:
    file = tmp_path / "lines.yaml"
    file.write_text(f"lines:\n  - {entry}\n")
    with pytest.raises(YamlFileError, match=f"lines.yaml:2: {cause}"):
        read_shared_lines(file)


@pytest.mark.parametrize(
    ("number", "people", "reason"),
    [("+442079460055", 1, "shared_line"), ("+447700900123", HOUSEHOLD + 1, "shared_line"),
     ("+447700900123", HOUSEHOLD, "by_number")],
)  # fmt: skip
async def test_candidates_on_a_shared_line_are_told_as_such(number: str, people: int, reason: str) -> None:
    class Plans:
        async def match_number(self, number: Number) -> Match:
            return Match(MatchLevel.CANDIDATES, "by_number", (), people)

    found = await FoundPlans(Plans(), frozenset({"+442079460055"})).find(read_number(number))  # type: ignore[arg-type]
    assert (found.outcome, found.reason) == ("candidates", reason)
