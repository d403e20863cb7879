"""Plans stored under other keys than those at hand: "unavailable", never "none", and nothing is written beside them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from callrouter.cli.commands import commands
from careplans.access.patient import PatientAsked, find_patient
from careplans.errors import KeysDoNotFit
from careplans.kinds import PlanKind
from careplans.model import MatchLevel, Person, Plan
from careplans.rotation import Rotation
from careplans.sealing import Sealer
from careplans.service import CarePlans
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from careplans.store import ended_plans, plans
from careplans.withdrawing import Withdrawal, withdraw_plans
from careplans.writing import write_plans
from infra.crypto import KeyRing
from infra.keys import new_pair
from infra.numbers import read_number
from infra.sql import Database
from tests.contract.conftest import Migrated
from tests.hand_clock import HandClock
from tests.plan_world import SYSTEM, Script
from tests.plan_world import plan as row

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
BORN = date(1938, 4, 12)
OLD_PAIR, NEW_PAIR, OTHER_PAIR = ((b"m" * 32, b"i" * 32), (b"n" * 32, b"j" * 32), (b"o" * 32, b"k" * 32))
OLD, NEW, OTHER = KeyRing(*OLD_PAIR), KeyRing(*NEW_PAIR), KeyRing(*OTHER_PAIR)
BOTH = KeyRing(*NEW_PAIR, [OLD_PAIR])
LOST = (MatchLevel.UNAVAILABLE, "keys_do_not_fit")
NOBODY = (MatchLevel.NONE, "no_plan")
FOUND = (MatchLevel.CANDIDATES, "by_number")


def plan(at: int) -> Plan:
    person = Person("Edith", f"Example{at}", BORN, "9990000018" if at == 1 else None, (f"+4477009000{at:02}",))
    return Plan(f"P{at}", SYSTEM, "Demo", PlanKind.CRISIS, person, "Line.", "Detail.", date(2026, 5, 4), None, 1)


async def write(database: Database, keys: KeyRing, *new: Plan) -> None:
    await database.write(lambda c: write_plans(c, Sealer(keys), new, NOW))


def service(database: Database, keys: KeyRing) -> CarePlans:
    return CarePlans(database, keys, HandClock(NOW))


async def said(asked: CarePlans, at: int) -> tuple[MatchLevel, str]:
    match = await asked.match_number(read_number(f"+4477009000{at:02}"))
    return match.outcome, match.reason


async def test_no_look_up_says_none_while_plans_stand_under_other_keys(database: Database) -> None:
    wrong, right = service(database, OTHER), service(database, OLD)
    await wrong.check_keys()
    assert await said(wrong, 1) == NOBODY, "without a plan every key fits"
    await write(database, OLD, plan(1))
    with pytest.raises(KeysDoNotFit, match="CALLROUTER_KEYS"):
        await wrong.check_keys()
    assert await said(wrong, 1) == LOST
    fresh = service(database, OTHER)
    for match in (await fresh.find_by_nhs_number("9990000018"), await fresh.find_by_name("Example1", BORN)):
        assert (match.outcome, match.reason) == LOST
    with pytest.raises(KeysDoNotFit):
        await database.read(lambda c: find_patient(c, Sealer(OTHER), PatientAsked(BORN, "9990000018")))
    assert [await said(right, 1), await said(right, 2)] == [FOUND, NOBODY]
    await database.write(lambda c: c.execute(plans.delete()))
    assert await said(wrong, 1) == NOBODY, "it goes back by itself"


async def test_a_master_key_that_is_missing_is_told_as_well(database: Database) -> None:
    await write(database, OLD, plan(1))
    mixed = service(database, KeyRing(OTHER_PAIR[0], OLD_PAIR[1]))
    with pytest.raises(KeysDoNotFit):
        await mixed.check_keys()
    assert await said(mixed, 1) == FOUND


async def test_while_keys_are_changed_whoever_lacks_one_finds_what_it_can_and_says_none_of_nobody(
    database: Database,
) -> None:
    await write(database, OLD, plan(1))
    await write(database, BOTH, plan(2))
    for keys, answers in ((BOTH, [FOUND, FOUND, NOBODY]), (OLD, [FOUND, LOST, LOST]), (NEW, [LOST, FOUND, LOST])):
        asked = service(database, keys)
        assert [await said(asked, at) for at in (1, 2, 3)] == answers
    spoken = await asked.assert_birth_date(read_number("+447700900002"), BORN, "call", keyed=False)
    assert spoken.outcome is MatchLevel.CANDIDATES, "who else is on this line cannot be told"
    assert (await Rotation(database, BOTH, pause_s=0.05).run()).settled
    assert [await said(asked, at) for at in (1, 2, 3)] == [FOUND, FOUND, NOBODY]


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_an_import_with_other_keys_is_refused_and_writes_nothing(database: Database, withdrawn: bool) -> None:
    await write(database, OLD, plan(1))
    if withdrawn:
        gone = [Withdrawal("P1", 1)]
        await database.write(lambda c: withdraw_plans(c, Sealer(OLD), SYSTEM, gone, NOW))
    runs = PlanRuns(database, OTHER, HandClock(NOW))
    with pytest.raises(KeysDoNotFit, match="CALLROUTER_KEYS"):
        await runs.run(Sender("demo", SYSTEM), Script([[[row(1, version="1")]]]))
    with pytest.raises(KeysDoNotFit):
        await database.write(lambda c: withdraw_plans(c, Sealer(OTHER), SYSTEM, [Withdrawal("P1", 2)], NOW))
    for table, count in ((plans, not withdrawn), (ended_plans, withdrawn)):
        query = select(func.count()).select_from(table)
        assert await database.read(lambda c, query=query: c.execute(query).scalar_one()) == count
    right = PlanRuns(database, OLD, HandClock(NOW))
    assert await right.run(Sender("demo", SYSTEM), Script([[[row(1, version="2")]]]))


def test_the_commands_say_so_with_what_to_do(
    database_kind: str, migrated: Migrated, request: pytest.FixtureRequest, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path / "data"))
    if database_kind == "postgresql":
        url = migrated.postgresql(request.getfixturevalue("postgres"))
    else:
        url = migrated.sqlite(tmp_path)
    monkeypatch.setenv("CALLROUTER_DATABASE_URL", url)
    (tmp_path / "plans.json").write_text(json.dumps([row(1).values]))
    right, wrong = new_pair(), new_pair()

    def typed(keys: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("CALLROUTER_KEYS", keys)
        result = CliRunner().invoke(commands(), ["plan", *words])
        return result.exit_code, result.stdout, result.stderr

    file = str(tmp_path / "plans.json")
    assert typed(right, "import", file)[0] == 0
    code, out, why = typed(wrong, "lookup", "07700 900001", "--json")
    answer = json.loads(out.splitlines()[-1])  # after the log, which a process of its own writes elsewhere
    assert (code, answer["outcome"], answer["reason"]) == (1, *LOST)
    assert "CALLROUTER_KEYS" in why
    code, out, why = typed(wrong, "import", file)
    assert (code, out, "CALLROUTER_KEYS" in why) == (1, "", True)
    assert typed(f"{wrong} {right}", "lookup", "07700 900001")[0] == 0
