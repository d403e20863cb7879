"""``plan rotate-keys``: what it says, and that it names nobody and no key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import typer
from plan_fixtures import HandClock
from sqlalchemy import insert, update
from typer.testing import CliRunner, Result

from careplans.access.tables import plan_emergencies
from careplans.keys_cli import Told, add_rotate_keys
from careplans.rotation import Rotation
from careplans.rows import Row
from careplans.service import CarePlans
from careplans.store import metadata, plans
from infra.crypto import KeyRing
from infra.sql import connect_database

OLD = KeyRing(b"m" * 32, b"i" * 32)
BOTH = KeyRing(b"n" * 32, b"j" * 32, [(b"m" * 32, b"i" * 32)])


def rotate(folder: Path, row: Callable[..., Row], *, broken: bool = False, glass: bool = False) -> Result:
    url = f"sqlite:///{folder}/plans.db"

    async def fill() -> None:
        database = connect_database(url)
        await database.write(metadata.create_all)
        await CarePlans(database, OLD, HandClock()).load([row()])
        if broken:
            await database.write(lambda c: c.execute(update(plans).values(person=b"broken")))
        if glass:
            at = HandClock().now()
            access = {"id": "e", "at": at, "expires_at": at, "actor": "a", "session": "s", "role": "clinician",
                      "plans": "", "wrapped_key": b"", "reason": b""}  # fmt: skip
            await database.write(lambda c: c.execute(insert(plan_emergencies), access))
        await database.close()

    @asynccontextmanager
    async def open_rotation(told: Told) -> AsyncIterator[tuple[Rotation, KeyRing]]:
        database = connect_database(url)
        yield Rotation(database, BOTH, told=told), BOTH
        await database.close()

    asyncio.run(fill())
    app = typer.Typer()
    app.callback()(lambda: None)
    add_rotate_keys(app, open_rotation)
    return CliRunner().invoke(app, ["rotate-keys"])


def test_it_says_which_keys_nothing_needs_any_more(tmp_path: Path, row: Callable[..., Row]) -> None:
    result = rotate(tmp_path, row)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "1 records brought under the newest keys",
        f"master key {OLD.masters[0]}: may be removed once no process writes with it and 97 hours have passed",
        f"index key {OLD.index_keys[0]}: may be removed once no process writes with it and 30 days have passed",
    ]
    assert "plans: 1 looked at, 1 changed" in result.stderr


def test_a_key_that_a_record_needs_is_said_and_is_no_success(tmp_path: Path, row: Callable[..., Row]) -> None:
    result = rotate(tmp_path, row, broken=True)
    assert result.exit_code == 1
    assert f"index key {OLD.index_keys[0]}: 1 records still need it" in result.stdout


def test_no_index_key_is_called_free_while_an_emergency_access_waits_for_its_review(
    tmp_path: Path, row: Callable[..., Row]
) -> None:
    result = rotate(tmp_path, row, glass=True)
    assert result.exit_code == 1
    assert f"index key {OLD.index_keys[0]}" not in result.stdout
    assert "index keys: 1 emergency accesses wait for their review: review them first" in result.stdout
