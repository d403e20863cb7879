"""``callrouter flow draft … replay``: thin commands over the service; in production a shell proves nobody's name."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from callrouter.cli.commands import commands
from callrouter.cli.versions import table
from callrouter.dispatch.providers import read_providers
from callrouter.errors import ConfigurationError
from callrouter.publishing.opening import open_publishing
from callrouter.replay.player import Course
from callrouter.replay.report import Compared, report
from callrouter.settings import load_settings
from infra.clock import SystemClock
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.service import LONDON

TIMES = ("--from", "2026-03-28T00:00:00+00:00", "--to", "2026-03-29T00:00:00+00:00")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [each for each in os.environ if each.startswith("CALLROUTER_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path / "data"))
    asyncio.run(_start_once())


async def _start_once() -> None:
    """As the service does when it starts first: the shipped flow is live."""
    settings = load_settings()
    settings.data_dir.mkdir(parents=True)
    database = connect_database(settings.database)
    await upgrade_database(database)
    services = read_providers(settings.providers_file).services
    await open_publishing(settings, database, SystemClock(), services)[0].begin(replace=False, budget_s=20)
    await database.close()


def typed(*arguments: str) -> str:
    result = CliRunner().invoke(commands(), ["flow", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def changed(tmp_path: Path) -> Path:
    shutil.copytree(LONDON.parent, tmp_path / "flows")
    file = tmp_path / "flows" / LONDON.name
    file.write_text(LONDON.read_text().replace("timeout_s: 4", "timeout_s: 3"))
    return file


@pytest.mark.slow
def test_from_a_draft_to_a_replay_and_a_recall(tmp_path: Path) -> None:
    said = typed("draft", str(changed(tmp_path)), "--as", "Ann", "--note", "shorter")
    version, shown = re.findall(r"london-111 (\w{12}): checked\nhash     (\w{64})", said)[0]
    with pytest.raises(ConfigurationError, match="own_work: who wrote it may not approve it"):
        typed("approve", version, "--hash", shown, "--as", "Ann")
    typed("approve", version, "--hash", shown, "--as", "Cleo", "--role", "clinical_safety")
    assert ": live" in typed("publish", version, "--as", "Ann")
    found = json.loads(typed("replay", "--version", version, *TIMES, "--json"))
    assert (found["version"], found["calls"]) == (version, 0)
    assert "0 calls through" in typed("replay", "--version", version, *TIMES)
    assert version not in typed("roll-back", "--note", "callers were cut short")
    assert ": recalled" in typed("recall", version)
    steps = [line.split()[3] for line in typed("history", version).splitlines()]
    assert steps == ["recalled", "rolled_back", "published", "approved", "checked", "drafted"]


@pytest.mark.slow
def test_in_production_a_shell_only_reads_and_takes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = typed("draft", str(changed(tmp_path)), "--as", "Ann")
    version, shown = re.findall(r"london-111 (\w{12}): checked\nhash     (\w{64})", said)[0]
    settings = load_settings()
    for key, value in {
        "ENVIRONMENT": "production", "KEYS": base64.b64encode(os.urandom(64)).decode(), "SESSION_SECRET": "s" * 40,
        "AUDIT_KEY": base64.b64encode(os.urandom(32)).decode(),
        "TWILIO_AUTH_TOKENS": "t" * 32, "FALLBACK_NUMBER": "+442079460101", "DATABASE_URL": settings.database,
        "PUBLIC_URL": "https://callrouter.example",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"CALLROUTER_{key}", value)
    with pytest.raises(ConfigurationError, match="needs a sign-in"):
        typed("approve", version, "--hash", shown, "--as", "Bob", "--role", "clinical_safety")
    with pytest.raises(ConfigurationError, match="needs a sign-in"):
        typed("publish", version)
    typed("stop", version)
    assert "(shell) (administrator)" in typed("history", version)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_bytes(b"flow: caf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"flow\.yaml: not a text file in UTF-8"):
        CliRunner().invoke(commands(), ["flow", "draft", str(tmp_path / "flow.yaml")], catch_exceptions=False)
    (tmp_path / "flow.yaml").unlink()
    (tmp_path / "flow.yaml").mkdir()
    with pytest.raises(ConfigurationError, match=r"flow\.yaml: Is a directory"):
        CliRunner().invoke(commands(), ["flow", "draft", str(tmp_path / "flow.yaml")], catch_exceptions=False)


def test_the_table_says_how_many_went_where() -> None:
    handler, dental = Course("111", 20.0), Course("dental", 12.5)
    found = report(
        "abc", [Compared(handler, handler)] * 3 + [Compared(handler, dental), Compared(None, None, "never asked: x")]
    )
    assert table(found).splitlines() == [
        "5 calls through abc",
        "      3 come where they came",
        "      1 would have gone elsewhere",
        "      1 undetermined",
        "before a person: 1 sooner, 3 as soon, 0 later; +0 s for the call in the middle, half of them +0 to +0 s",
        "",
        "  calls   seconds  from → to",
        "      1      -7.5  111 → dental",
        "",
        "  calls  undetermined because",
        "      1  never asked: x",
    ]
