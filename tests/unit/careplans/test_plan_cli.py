"""``plan import`` and ``plan lookup`` as they are typed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import typer
from plan_fixtures import GOOD, HandClock, runs_on
from typer.testing import CliRunner

from careplans.cli import plan_app
from careplans.rows import COLUMNS
from careplans.service import CarePlans
from careplans.store import metadata
from infra.crypto import KeyRing
from infra.sql import connect_database


@pytest.fixture
def app(tmp_path: Path, keyring: KeyRing, clock: HandClock) -> typer.Typer:
    @asynccontextmanager
    async def open_service() -> AsyncIterator[CarePlans]:
        database = connect_database(f"sqlite:///{tmp_path}/plans.db")
        await database.write(metadata.create_all)
        try:
            yield CarePlans(database, keyring, clock)
        finally:
            await database.close()

    return plan_app(open_service, runs_on(f"sqlite:///{tmp_path}/plans.db", keyring, clock))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plans.json"
    path.write_text(json.dumps([GOOD]))
    return path


def run(app: typer.Typer, *words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


def test_import_says_what_was_done(app: typer.Typer, file: Path) -> None:
    assert run(app, "import", file) == (0, "1 imported, 0 updated, 0 unchanged, 0 refused\n", "")
    assert run(app, "import", file) == (0, "0 imported, 0 updated, 1 unchanged, 0 refused\n", "")


def test_sources_say_how_fresh_each_is(app: typer.Typer, file: Path, clock: HandClock) -> None:
    read = clock.at
    run(app, "import", file)
    clock.move(hours=3, minutes=2)
    _, said, _ = run(app, "sources")
    assert said.splitlines()[1] == "import: last read to its end 3 h ago, newest delivery 3 h ago"
    (as_json,) = json.loads(run(app, "sources", "--json")[1])
    assert as_json["freshness"]["read_at"] == str(read)


def test_refused_rows_are_listed_and_the_exit_is_1(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "plans.csv"
    rows = [GOOD | {"kind": "x", "version": "x"}, GOOD | {"nhs_number": "9990000019"}]
    lines = [",".join(str(row[name]) for name in COLUMNS) for row in rows]
    file.write_text("\n".join([",".join(COLUMNS), *lines]))
    code, out, err = run(app, "import", file)
    assert (code, out) == (1, "1 imported, 0 updated, 0 unchanged, 1 refused\n")
    assert err.splitlines() == [
        f"{file}:2: kind: is neither a known kind of plan nor its SNOMED code",
        f"{file}:2: version: is not a whole number of at most 15 digits",
        f"{file}:3: nhs_number: fails its check digit: kept, never matched on (warning)",
    ]


def test_import_as_json(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "plans.json"
    file.write_text(json.dumps([GOOD, GOOD | {"plan_id": "P2", "kind": "x"}], indent=1))
    code, out, _ = run(app, "import", file, "--json")
    report = json.loads(out)
    assert (code, report["file"], report["imported"]) == (1, str(file), 1)
    assert report["refused"] == [
        {"line": 20, "field": "kind", "reason": "is neither a known kind of plan nor its SNOMED code"}
    ]


def test_an_unreadable_file_is_named(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "plans.csv"
    file.write_bytes(b"\x89PNG\r\n")
    assert run(app, "import", file) == (
        1,
        "",
        f"{file}:1: is not text in UTF-8; save it with that encoding (in a spreadsheet: save as CSV UTF-8)\n",
    )
    code, out, _ = run(app, "import", file, "--json")
    assert (code, json.loads(out)["error"], json.loads(out)["line"]) == (1, "plan_file_unreadable", 1)


def test_lookup_as_json(app: typer.Typer, file: Path) -> None:
    run(app, "import", file)
    code, out, _ = run(app, "lookup", "07700 900101", "--json")
    match = json.loads(out)
    plan_id = match["candidates"][0].pop("plan_id")
    assert (code, len(plan_id)) == (0, 32)
    assert match == {
        "outcome": "candidates",
        "reason": "by_number",
        "people": 1,
        "candidates": [
            {
                "kind": "end_of_life_care_plan",
                "source": "Universal Care Plan",
                "author_org": "Demo Hospice",
                "valid_from": "2026-05-04",
                "review_by": "2027-05-04",
                "stale": False,
                "raises": True,
                "also_in": [],
                "restricted": False,
            }
        ],
    }


def test_lookup_in_words_names_nobody(app: typer.Typer, file: Path) -> None:
    run(app, "import", file)
    code, out, _ = run(app, "lookup", "+447700900101")
    assert code == 0
    assert out.startswith("candidates (by_number): 1 plan(s), 1 possible person(s)\n")
    assert "Universal Care Plan (Demo Hospice), from 2026-05-04, review by 2027-05-04, raises priority" in out
    assert "Edith" not in out


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("withheld", "withheld"),
        ("08979123456", "carrier_filler"),
        ("1 OR 1=1", "unreadable_number"),
        ("<x>07700900101</x>", "unreadable_number"),
        ("07700900101\r\nX: y", "unreadable_number"),
        ("☎🙂", "unreadable_number"),
    ],
)
def test_some_numbers_never_reach_the_database(
    tmp_path: Path, keyring: KeyRing, clock: HandClock, number: str, reason: str
) -> None:
    @asynccontextmanager
    async def open_service() -> AsyncIterator[CarePlans]:
        raise AssertionError("the service was opened")
        yield

    app = plan_app(open_service, runs_on(f"sqlite:///{tmp_path}/none.db", keyring, clock))
    code, out, _ = run(app, "lookup", number, "--json")
    assert (code, json.loads(out)) == (0, {"outcome": "none", "reason": reason, "people": 0, "candidates": []})


def test_a_failing_store_is_unavailable_and_exits_1(
    tmp_path: Path, keyring: KeyRing, clock: HandClock, file: Path
) -> None:
    @asynccontextmanager
    async def without_tables() -> AsyncIterator[CarePlans]:
        database = connect_database(f"sqlite:///{tmp_path}/empty.db")
        try:
            yield CarePlans(database, keyring, clock)
        finally:
            await database.close()

    app = plan_app(without_tables, runs_on(f"sqlite:///{tmp_path}/empty.db", keyring, clock, with_tables=False))
    code, out, _ = run(app, "lookup", "07700900101")
    assert (code, out.splitlines()[-1]) == (1, "unavailable (store_failed)")
    code, _, err = run(app, "import", file)
    assert (code, err) == (1, "the plan database did not answer; the next run goes on from there\n")
