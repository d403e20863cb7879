"""What is typed while the database or the data folder cannot be used: words that say what to do, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from typer.testing import CliRunner, Result

from callrouter.cli.commands import commands
from callrouter.cli.refusals import in_words
from callrouter.doctor.records import check_database
from callrouter.errors import ConfigurationError, DatabaseRefuses
from callrouter.settings import Settings, load_settings
from tests.running import free_port


def type_(*words: str) -> Result:
    return CliRunner().invoke(commands(list(words)), list(words))


@pytest.fixture(params=["nobody listens", "no database", "no folder"])
def broken_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is wrong; the settings in the environment lead to it."""
    folder = tmp_path / "data"
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(folder))
    if request.param == "nobody listens":
        monkeypatch.setenv("CALLROUTER_DATABASE_URL", f"postgresql://u:zzsecret@127.0.0.1:{free_port()}/x")
    elif request.param == "no database":
        folder.mkdir()
        (folder / "callrouter.db").write_bytes(b"no database" * 400)
    else:
        folder.write_text("a file stands where the folder should")
    return str(request.param)


SAID = {
    "nobody listens": "the database does not answer (ConnectionRefusedError): is it running",
    "no database": "the database refuses (DatabaseError): the file is no database",
    "no folder": "CALLROUTER_DATA_DIR: ",
}


@pytest.mark.parametrize("words", [("audit", "verify"), ("call", "list"), ("db", "downgrade", "base")])
def test_a_command_says_what_is_wrong_with_the_store(broken_store: str, words: tuple[str, ...]) -> None:
    error = type_(*words).exception
    assert isinstance(error, ConfigurationError), error
    assert str(error).startswith(SAID[broken_store])
    assert "zzsecret" not in str(error)


def test_a_database_without_its_tables_is_not_taken_for_a_broken_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    assert str(type_("audit", "verify").exception).endswith("run `callrouter db upgrade`")


@pytest.mark.parametrize(
    ("statement", "is_old"),
    [
        ("SELECT 1 FROM absent", True),
        ("SELECT absent FROM here", True),
        ("INSERT INTO here (absent) VALUES (1)", True),
        ("CREATE TABLE here (id)", False),
        ("SELECT abs(-9223372036854775807 - 1)", False),
    ],
)
def test_only_a_missing_table_or_column_asks_for_an_upgrade(statement: str, is_old: bool) -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.exec_driver_sql("CREATE TABLE here (id)")
        with pytest.raises(DatabaseRefuses) as told, in_words():
            connection.exec_driver_sql(statement)
    assert ("run `callrouter db upgrade`" in str(told.value)) is is_old, told.value


@pytest.mark.parametrize("broken_store", ["nobody listens", "no database"], indirect=True)
def test_a_look_up_without_a_store_answers_unavailable_and_never_none(broken_store: str) -> None:
    result = type_("plan", "lookup", "07700 900101", "--json")
    assert result.exit_code == 1
    nothing = {"outcome": "unavailable", "reason": "store_failed", "people": 0, "candidates": []}
    assert json.loads(result.stdout) == nothing
    assert SAID[broken_store] in result.stderr


@pytest.mark.parametrize(("number", "reason"), [("withheld", "withheld"), ("08979 123456", "carrier_filler")])
def test_a_number_that_is_never_looked_up_asks_no_store(broken_store: str, number: str, reason: str) -> None:
    result = type_("plan", "lookup", number, "--json")
    assert (result.exit_code, json.loads(result.stdout)["reason"]) == (0, reason), broken_store


async def test_the_doctor_calls_a_file_that_is_no_database_a_failure(tmp_path: Path) -> None:
    (tmp_path / "callrouter.db").write_bytes(b"no database" * 400)
    (finding,) = await check_database(Settings(data_dir=tmp_path))
    assert (finding.level, finding.text) == ("failed", "the file cannot be read as a database (DatabaseError)")


async def test_the_doctor_tells_a_folder_that_is_missing_from_a_database_still_to_be_made(tmp_path: Path) -> None:
    (finding,) = await check_database(Settings(data_dir=tmp_path / "data"))
    assert (finding.level, finding.do) == ("warning", "start `callrouter serve`, which makes it")
    (finding,) = await check_database(Settings(database_url=f"sqlite:///{tmp_path}/nowhere/calls.db"))
    assert (finding.level, finding.text) == ("failed", "the folder of its file is not there")


@pytest.mark.parametrize("key", ["PORT", "SMTP_PORT", "AUDITOR_SMTP_PORT"])
def test_a_port_that_no_machine_has_is_refused_by_name(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"CALLROUTER_{key}", "65536")
    with pytest.raises(ConfigurationError, match=f"CALLROUTER_{key}: .*65535"):
        load_settings()
