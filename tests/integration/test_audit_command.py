"""``audit verify`` as it is typed: a good audit, one that was tampered with, one whose signed ends lie elsewhere."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from callrouter.cli.commands import commands
from callrouter.doctor.audit import check_audit
from callrouter.plans.access import head_signer, heads_file
from callrouter.settings import Settings, load_settings
from careplans.audit.heads import HeadFile
from careplans.audit.keeping import HeadLoop
from infra.clock import SystemClock
from infra.health import Health
from infra.sql import connect_database


def type_(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands(), list(words))
    return result.exit_code, result.output


def sign() -> Path:
    """As the service does each minute; returns the file elsewhere."""

    async def once() -> None:
        settings, clock = load_settings(), SystemClock()
        database = connect_database(settings.database)
        keepers = [HeadFile(heads_file(settings))]
        await HeadLoop(database, head_signer(settings), keepers, clock, Health(clock)).sign(clock.now())
        await database.close()

    asyncio.run(once())
    return heads_file(load_settings())


def test_verify_finds_a_cut_tail_by_the_file_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CALLROUTER_AUDIT_HEADS_FILE", str(tmp_path / "elsewhere" / "heads"))
    for _ in range(2):
        assert type_("plan", "rotate-keys")[0] == 0  # the shortest command that is an entry
    code, said = type_("audit", "verify")
    assert (code, "no signed end was given from elsewhere" in said) == (1, True)
    heads = sign()
    assert type_("audit", "verify") == (0, "2 entries, signed to entry 2: as it was written\n")
    key = type_("audit", "key")[1].strip()
    assert type_("audit", "verify", "--public-key", key, "--heads", str(heads))[0] == 0
    with closing(sqlite3.connect(tmp_path / "data" / "callrouter.db")) as database:
        for statement in (
            "DROP TRIGGER plan_audit_stays",
            "DELETE FROM plan_audit WHERE seq = 2",
            "DELETE FROM audit_heads",
        ):
            database.execute(statement)
        database.commit()
    code, said = type_("audit", "verify", "--json")
    assert code == 1
    assert "the chain ends with entry 1" in json.loads(said)["faults"][0]


def test_a_wrong_key_or_file_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path / "data"))
    assert type_("plan", "rotate-keys")[0] == 0
    heads = sign()
    heads.write_text(heads.read_text() + "cut off he")
    code, said = type_("audit", "verify")
    assert (code, ":2: is no signed end of the chain" in said) == (1, True)
    result = CliRunner().invoke(commands(), ["audit", "verify", "--public-key", "short"])
    assert "must be base64 of 32 octets" in str(result.exception)
    (found,) = asyncio.run(check_audit(load_settings()))
    assert (found.level, "1 of its signed ends" in found.text) == ("warning", True)


def test_doctor_says_whether_signed_ends_are_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path / "data"))
    (found,) = asyncio.run(check_audit(load_settings()))
    assert (found.level, "nothing is signed yet" in found.text) == ("ok", True)
    assert type_("plan", "rotate-keys")[0] == 0
    sign()
    (found,) = asyncio.run(check_audit(load_settings()))
    assert (found.level, found.text) == ("ok", "signed to entry 1")
    (found,) = asyncio.run(check_audit(Settings(data_dir=tmp_path / "data", environment="production")))
    assert (found.level, "the disk of the service itself" in found.text) == ("warning", True)
