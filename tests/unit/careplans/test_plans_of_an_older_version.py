"""Plans that an older version stored: the doctor says that the search by name does not find them yet."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from plan_fixtures import HandClock
from pydantic import SecretStr
from sqlalchemy import update

from callrouter.doctor.records import check_database
from callrouter.settings import Settings
from careplans.rows import Row
from careplans.service import CarePlans
from careplans.store import plans
from infra.crypto import KeyRing
from infra.migrate import upgrade_database
from infra.sql import connect_database


async def test_the_doctor_says_it_until_the_keys_were_rotated(
    tmp_path: Path, row: Callable[..., Row], keyring: KeyRing, clock: HandClock
) -> None:
    settings = Settings(data_dir=tmp_path, keys=SecretStr(b64encode(b"m" * 32 + b"i" * 32).decode()))
    database = connect_database(settings.database)
    await upgrade_database(database)
    await CarePlans(database, keyring, clock).load([row()])
    assert {each.level for each in await check_database(settings)} == {"ok"}
    await database.write(lambda c: c.execute(update(plans).values(index_key=None, surname_key=None)))
    await database.close()
    (finding,) = [each for each in await check_database(settings) if each.level != "ok"]
    assert (finding.about, "rotate-keys" in finding.do) == ("plans", True)
