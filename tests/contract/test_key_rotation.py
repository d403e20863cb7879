"""Keys are changed while look-ups and imports go on; then the older ones are needed by nothing."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, date, datetime
from functools import partial

import pytest
from sqlalchemy import delete, select, update

from callrouter.cli.common import SEALED
from callrouter.journal import Journal, calls
from careplans.kinds import PlanKind
from careplans.model import MatchLevel, Person, Plan
from careplans.rotation import PORTION, Rotated, Rotation
from careplans.sealing import Sealer
from careplans.service import CarePlans
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from careplans.sources.tables import plan_quarantine
from careplans.store import ended_plans, plan_numbers, plans
from careplans.withdrawing import Withdrawal, withdraw_plans
from careplans.writing import write_plans
from infra.bus import Entry
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.rewrap import WrappedKeys, rewrap
from infra.sql import Database
from tests.hand_clock import HandClock
from tests.plan_world import SYSTEM, Script
from tests.plan_world import plan as row

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
OLD = KeyRing(b"m" * 32, b"i" * 32)
BOTH = KeyRing(b"n" * 32, b"j" * 32, [(b"m" * 32, b"i" * 32)])
NEW = KeyRing(b"n" * 32, b"j" * 32)
BORN = date(1938, 4, 12)
MANY = 2 * PORTION + 50
one_database = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what is told by our own comparisons: the statements are those of the other tests, which run on both."""


def plan(at: int, version: int = 1, *, source: str = "Demo Trust", nhs: str | None = None, restricted: bool = False,
         family: str | None = None) -> Plan:  # fmt: skip
    person = Person("Edith", family or f"Example{at}", BORN, nhs, (f"+4477009{at:05}",))
    return Plan(
        f"P{at}", source, "Demo Hospice", PlanKind.CRISIS, person, "Line.", "Detail.", date(2026, 5, 4), None, version,
        restricted,
    )  # fmt: skip


async def write(database: Database, keys: KeyRing, *new: Plan) -> None:
    await database.write(lambda c: write_plans(c, Sealer(keys), new, NOW))


async def withdraw(database: Database, keys: KeyRing, *gone: Withdrawal) -> int:
    return await database.write(lambda c: withdraw_plans(c, Sealer(keys), "Demo Trust", gone, NOW))


def service(database: Database, keys: KeyRing) -> CarePlans:
    return CarePlans(database, keys, HandClock(NOW))


async def found(database: Database, keys: KeyRing, at: int) -> int:
    match = await service(database, keys).match_number(read_number(f"+4477009{at:05}"))
    assert match.outcome is not MatchLevel.UNAVAILABLE
    return len(match.candidates)


async def rotate(database: Database, keys: KeyRing = BOTH) -> Rotated:
    return await Rotation(database, keys, pause_s=0.05).run()


async def test_every_plan_is_found_and_opened_with_the_new_keys_alone(database: Database) -> None:
    await write(database, OLD, *[plan(at) for at in range(MANY)])
    done = await rotate(database)
    assert (done.settled, done.changed, done.masters_needed, done.index_keys_needed) == (True, MANY, {}, {})
    fresh = service(database, NEW)
    for at in (0, PORTION, MANY - 1):
        match = await fresh.assert_birth_date(
            read_number(f"+4477009{at:05}"), BORN, "call", keyed=True
        )  # which opens it
        assert (match.outcome, match.people) == (MatchLevel.ASSERTED, 1)
    assert (await fresh.find_by_name("Example7", BORN)).people == 1
    with_old = await service(database, OLD).match_number(read_number("+447700900000"))
    assert with_old.outcome is MatchLevel.UNAVAILABLE, "the older key finds nothing any more, and says so"


async def test_a_look_up_beside_it_always_finds_the_plan(database: Database) -> None:
    await write(database, OLD, *[plan(at) for at in range(MANY)])
    running = asyncio.create_task(rotate(database))
    for asked, at in enumerate(itertools.cycle(range(0, MANY, 37))):
        assert await found(database, BOTH, at) == 1
        if running.done() and asked > 20:
            break
    assert (await running).settled


async def test_imports_and_withdrawals_beside_it_lose_nothing(database: Database) -> None:
    await write(database, OLD, *[plan(at) for at in range(MANY)])

    async def go_on() -> None:
        for at in range(0, 100, 20):
            await write(database, BOTH, *[plan(one, 2) for one in range(at, at + 20)])
            await write(database, BOTH, *[plan(MANY + one) for one in range(at, at + 20)])
        assert await withdraw(database, BOTH, *[Withdrawal(f"P{one}", 2) for one in range(10)]) == 10

    done, _ = await asyncio.gather(rotate(database), go_on())
    assert done.settled
    assert [await found(database, NEW, at) for at in (0, 9, 10, 99, MANY - 1, MANY, MANY + 99)] == [0, 0, 1, 1, 1, 1, 1]
    versions = await database.read(lambda c: c.execute(select(plans.c.version)).scalars().all())
    assert sorted(versions) == [1] * MANY + [2] * 90


@one_database
async def test_what_was_stopped_half_way_is_begun_again_and_ends(database: Database) -> None:
    await write(database, OLD, *[plan(at) for at in range(MANY)])

    class Stopped(Exception):
        pass

    def told(_table: str, looked_at: int, _changed: int) -> None:
        if looked_at >= PORTION:
            raise Stopped

    with pytest.raises(Stopped):
        await Rotation(database, BOTH, told=told).run()
    assert [await found(database, BOTH, at) for at in range(0, MANY, 50)] == [1] * len(range(0, MANY, 50))
    assert (await rotate(database)).changed == MANY - PORTION
    assert (await rotate(database)).changed == 0


@one_database
async def test_somebody_restricted_by_a_plan_under_the_older_key_stays_off_the_number(database: Database) -> None:
    await write(database, OLD, plan(1, nhs="9990000018", restricted=True))
    await write(database, BOTH, plan(1, source="Shared Record", nhs="9990000018"))  # half-way: nothing was rotated
    assert await found(database, BOTH, 1) == 0
    await rotate(database)
    assert await found(database, NEW, 1) == 0
    await write(database, NEW, plan(1, 2, nhs="9990000018"))
    assert await found(database, NEW, 1) == 1  # the same in both sources: shown once


@one_database
async def test_a_restricted_plan_that_moves_to_its_right_person_frees_the_wrong_one_half_way(
    database: Database,
) -> None:
    await write(database, OLD, plan(1, nhs="9990000018", restricted=True))
    await write(database, OLD, plan(1, source="Shared Record", nhs="9990000018"))
    assert await found(database, BOTH, 1) == 0
    await write(database, BOTH, plan(1, 2, nhs="9990000026", family="Other", restricted=True))
    assert await found(database, BOTH, 1) == 1


@one_database
async def test_one_persons_plans_come_along_though_they_share_no_single_key(database: Database) -> None:
    """A and B share a name, A and C a number: whoever writes D, known by name only, must see that C is restricted."""
    await write(database, OLD, plan(1, source="C", nhs="9990000018", family="Other", restricted=True))
    await write(database, OLD, plan(1, source="A", nhs="9990000018", family="Same"))
    await write(database, OLD, plan(1, source="B", family="Same"))
    await write(database, BOTH, plan(1, source="D", family="Same"))
    under = await database.read(lambda c: c.execute(select(plans.c.index_key).distinct()).scalars().all())
    assert list(under) == [BOTH.index_keys[0]]


@one_database
async def test_an_older_version_stays_out_under_the_new_key_too(database: Database) -> None:
    await write(database, OLD, plan(1, 3))
    await withdraw(database, OLD, Withdrawal("P1", 3), Withdrawal("P2", 3))  # P2 never came
    await rotate(database)
    await write(database, NEW, plan(1, 2), plan(2, 2))
    assert [await found(database, NEW, at) for at in (1, 2)] == [0, 0]
    await write(database, NEW, plan(1, 4), plan(2, 4))
    assert [await found(database, NEW, at) for at in (1, 2)] == [1, 1]


@one_database
async def test_a_tombstone_of_an_erased_plan_still_needs_the_older_index_key(database: Database) -> None:
    await write(database, OLD, plan(1))
    await withdraw(database, OLD, Withdrawal("P1", 1))
    gone = update(ended_plans).values(
        why="erased", wrapped_key=None, person=None, content=None, nhs_key=None, name_key=None, surname_key=None
    )
    await database.write(lambda c: c.execute(gone))
    done = await rotate(database)
    assert (done.settled, done.index_keys_needed, done.masters_needed) == (True, {OLD.index_keys[0]: 1}, {})


@one_database
async def test_a_plan_that_does_not_open_is_passed_over_and_keeps_its_key_needed(database: Database) -> None:
    await write(database, OLD, plan(1), plan(2))
    broken = update(plans).where(plans.c.id == select(plans.c.id).limit(1).scalar_subquery()).values(person=b"broken")
    await database.write(lambda c: c.execute(broken))
    done = await rotate(database)
    assert (done.settled, done.index_keys_needed) == (True, {OLD.index_keys[0]: 1})


async def test_the_journal_opens_under_the_newest_master_key_alone(database: Database) -> None:
    key = OLD.new_data_key()
    sealed = key.seal(b"{}", b"journal:one:1")
    entry = Entry("one", 1, NOW, "call_started", {"context": "c"}, sealed, key.wrapped)
    await Journal(database, OLD).write([entry])
    await database.write(lambda c: c.execute(calls.insert(), {"call_ref": "two", "context": "d", "offered_at": NOW}))
    done = await Rotation(database, BOTH, [WrappedKeys(calls, calls.c.call_ref, calls.c.wrapped_key)]).run()
    assert (done.changed, done.masters_needed) == (1, {})
    wrapped = dict(await database.read(lambda c: c.execute(select(calls.c.call_ref, calls.c.wrapped_key)).all()))
    assert NEW.unwrap(wrapped["one"]).open(sealed, b"journal:one:1") == b"{}"
    assert wrapped["two"] is None


@one_database
async def test_what_stands_in_quarantine_is_known_again_under_the_newest_keys(database: Database) -> None:
    sender, script = Sender("trust", SYSTEM), Script([[[row(101, kind="?"), row(102, kind="?")]]])
    await PlanRuns(database, OLD, HandClock(NOW)).run(sender, script)
    done = await Rotation(database, BOTH, SEALED).run()
    assert (done.settled, not done.masters_needed) == (True, True)
    kept = select(plan_quarantine.c.id, plan_quarantine.c.wrapped_key, plan_quarantine.c.content)
    for each in await database.read(lambda c: c.execute(kept).all()):
        assert b"P10" in NEW.unwrap(each.wrapped_key).open(each.content, f"{each.id}/quarantine".encode())
    script.deliveries = [*script.deliveries, [[row(101), row(102, kind="?")]]]
    runs = PlanRuns(database, BOTH, HandClock(NOW))
    await runs.run(sender, script)
    assert [(each.line, each.times) for each in await runs.quarantined()] == [(102, 2)]
    script.deliveries = [*script.deliveries, [[row(102)]]]
    runs = PlanRuns(database, NEW, HandClock(NOW))  # what came again meanwhile stands under the newest index key
    await runs.run(sender, script)
    assert await runs.quarantined() == []


@one_database
async def test_a_key_that_is_destroyed_meanwhile_does_not_come_back(database: Database) -> None:
    await Journal(database, OLD).write(
        [Entry("one", 1, NOW, "call_started", {"context": "c"}, b"", OLD.new_data_key().wrapped)]
    )

    class Destroying:
        """Between the look and the write, retention destroys the key."""

        read = staticmethod(database.read)

        async def write(self, work: partial[None]) -> None:
            await database.write(lambda c: c.execute(update(calls).values(wrapped_key=None)))
            await database.write(work)

    where = WrappedKeys(calls, calls.c.call_ref, calls.c.wrapped_key)
    _ = [each async for each in rewrap(Destroying(), BOTH, where)]  # type: ignore[arg-type]
    assert await database.read(lambda c: c.execute(select(calls.c.wrapped_key)).scalar_one()) is None


@one_database
async def test_rows_from_before_there_was_a_search_by_name_are_found_after_it(database: Database) -> None:
    await write(database, OLD, plan(1))
    before = update(plans).values(index_key=None, surname_key=None, content_key=None)
    await database.write(lambda c: c.execute(before))
    assert (await rotate(database, OLD)).changed == 1
    assert (await service(database, OLD).find_by_name("example-1", BORN)).people == 1


@one_database
async def test_plans_that_were_withdrawn_before_they_had_a_family_name_to_be_found_by_get_it(
    database: Database,
) -> None:
    await write(database, OLD, plan(1))
    await withdraw(database, OLD, Withdrawal("P1", 1))
    hashed = select(ended_plans.c.surname_key, ended_plans.c.index_key)
    known = await database.read(lambda c: c.execute(hashed).one())
    assert None not in known
    await database.write(lambda c: c.execute(update(ended_plans).values(index_key=None, surname_key=None)))
    assert (await rotate(database, OLD)).changed == 1
    assert await database.read(lambda c: c.execute(hashed).one()) == known


@one_database
async def test_a_plan_without_numbers_gets_none(database: Database) -> None:
    await write(database, OLD, plan(1))
    await database.write(lambda c: c.execute(delete(plan_numbers)))
    await rotate(database)
    assert await database.read(lambda c: c.execute(select(plan_numbers)).all()) == []
