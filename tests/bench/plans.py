"""The store of plans on PostgreSQL: import with encryption on, and the look-up of a number beside a bare SELECT.

Every look-up and every SELECT goes by the same pool of connections, 200 a second, ours and theirs by turns of a quarter
of a second; few plans and many, each in a database of its own on one server, by turns of some seconds. Every number
that is asked for has a plan: to find none takes less. The SELECT is the least that there is, answered from an index
alone. CPU is that of this process and of the server together.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, select

from careplans.kinds import PlanKind
from careplans.model import MatchLevel, Person, Plan
from careplans.sealing import Sealer
from careplans.service import CarePlans
from careplans.store import plan_numbers
from careplans.writing import write_plans
from infra import garbage
from infra.clock import SystemClock
from infra.crypto import KeyRing
from infra.migrate import upgrade_database
from infra.numbers import Number, NumberClass
from infra.sql import Database, connect_database
from tests.bench.figures import Verdict, at_least, at_most, percentiles, printed
from tests.bench.machine import cpu_seconds
from tests.postgres import Postgres, PostgresMissing, find_binaries

KEYS = KeyRing(b"m" * 32, b"i" * 32)
RATE = 200
BLOCK = 50
"""Look-ups of one kind before those of the other have their turn: whatever else the machine does then meets both."""
WARMING = 3_000
"""Look-ups of each kind that are not measured, one right after the other: the other database was asked just before."""
TRANSACTION = 5_000
MEMORY = "shared_buffers=2GB"
"""What docs/postgresql.md asks for: with the 128 MB of a fresh installation, pages of a million plans come and go."""
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DETAIL = "Medicines are in the house. " * 10


@dataclass(frozen=True, slots=True)
class Size:
    """Plans at first and in the end, seconds that each of the two is asked in a round, and rounds."""

    few: int
    many: int
    seconds: float
    rounds: int


FULL = Size(few=10_000, many=1_000_000, seconds=6.0, rounds=5)
QUICK = Size(few=200, many=1_000, seconds=0.5, rounds=1)


def missing() -> list[str]:
    try:
        find_binaries()
    except PostgresMissing as reason:
        return [str(reason)]
    return []


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Milliseconds of a look-up and of a bare SELECT, with few and with many plans, and plans a second."""
    folder.mkdir(parents=True)
    with Postgres(MEMORY) as server:
        rounds = asyncio.run(_measured(server, size))
    return {"conditions": {"few": size.few, "many": size.many, "look-ups a second": RATE}, "rounds": rounds}


def verdicts(rounds: Sequence[dict[str, Any]]) -> list[Verdict]:
    """The targets of a look-up and of an import."""

    def p99(plans: str, what: str) -> list[float]:
        return [each[plans][what]["p99_ms"] for each in rounds]

    def p50(plans: str, what: str) -> list[float]:
        return [each[plans][what]["p50_ms"] for each in rounds]

    rates = [each["import"]["plans_per_cpu_s"] for each in rounds]
    return [
        at_most("look-up of a number among many plans, p99, against a bare SELECT", p99("many", "ours"),
                p99("many", "bare"), "ms", 1.5),
        printed("the same, p50", p50("many", "ours"), p50("many", "bare"), "ms"),
        at_most("the same, p99, against 5 ms", p99("many", "ours"), [5.0] * len(rounds), "ms", 1.0),
        at_most("the same, CPU of the service and of PostgreSQL, against a look-up among few plans",
                [each["many"]["ours"]["cpu_ms"] for each in rounds], [each["few"]["ours"]["cpu_ms"] for each in rounds],
                "ms CPU", 1.2),
        at_least("import of plans, a second of CPU of the service and of PostgreSQL, against 5,000", rates,
                 [5000.0] * len(rounds), "/s", 1.0),
    ]  # fmt: skip


async def _measured(server: Postgres, size: Size) -> list[dict[str, Any]]:
    few, _ = await _stored(server, [0, size.few])
    # in portions, whose speed shows what the table's growth costs
    many, loads = await _stored(server, [size.many * at // size.rounds for at in range(size.rounds + 1)])
    rounds = []
    with _garbage_as_in_the_service():
        for at, load in enumerate(loads):
            asked = {"few": (few, size.few), "many": (many, size.many)}
            found = {
                name: await _look_ups(database, server, stored, size.seconds, at)
                for name, (database, stored) in (asked.items() if at % 2 else reversed(asked.items()))
            }
            rounds.append({**found, "import": load})
    await few.close()
    await many.close()
    return rounds


@contextlib.contextmanager
def _garbage_as_in_the_service() -> Iterator[None]:
    before, looking = gc.get_threshold(), asyncio.create_task(garbage.looking())
    garbage.seldom()
    yield
    looking.cancel()
    gc.set_threshold(*before)
    gc.unfreeze()


async def _stored(server: Postgres, steps: list[int]) -> tuple[Database, list[dict[str, float]]]:
    """A database of its own with as many plans as the last of ``steps``, and how fast each step went."""
    url = server.new_database()
    database = connect_database(url)
    await upgrade_database(database)
    loads = [await _load(database, server, start, end) for start, end in itertools.pairwise(steps)]
    _settle(server, url)
    return database, loads


def _settle(server: Postgres, url: str) -> None:
    """What a server does by itself within minutes of a large import: not beside the look-ups that are measured."""
    for each in ("VACUUM ANALYZE", "CHECKPOINT"):
        server.sql(each, url)


def _e164(at: int) -> str:
    return f"+999{at:09}"  # a country code that nobody has: there are not enough numbers for drama


def _plan(at: int) -> Plan:
    person = Person("Edith", f"Example {at}", date(1938, 4, 12), None, (_e164(at),))
    return Plan(
        f"P{at}", f"Source {at % 7}", f"Demo Trust {at % 40}", PlanKind.CRISIS, person, "Call the team first.", DETAIL,
        date(2026, 5, 4), date(2027, 5, 4), 1,
    )  # fmt: skip


async def _load(database: Database, server: Postgres, start: int, end: int) -> dict[str, float]:
    sealer = Sealer(KEYS)
    began, ours, theirs = time.perf_counter(), time.process_time(), cpu_seconds(server.pid)
    for first in range(start, end, TRANSACTION):
        new = [_plan(at) for at in range(first, min(first + TRANSACTION, end))]
        await database.write(lambda connection, new=new: write_plans(connection, sealer, new, NOW))
    took, ours, theirs = time.perf_counter() - began, time.process_time() - ours, cpu_seconds(server.pid) - theirs
    many = end - start
    return {
        "plans_per_cpu_s": round(many / (ours + theirs), 1),
        "plans_per_own_cpu_s": round(many / ours, 1),
        "plans_per_s": round(many / took, 1),
    }


async def _look_ups(database: Database, server: Postgres, stored: int, seconds: float, number: int) -> dict[str, Any]:
    plans, sealer, pick = CarePlans(database, KEYS, SystemClock()), Sealer(KEYS), random.Random(number)
    bare = select(plan_numbers.c.plan).where(plan_numbers.c.number_hash == bindparam("hash"))

    async def ours(at: int) -> None:
        match = await plans.match_number(Number(NumberClass.PRESENT, _e164(at)))
        if match.outcome is not MatchLevel.CANDIDATES:
            raise RuntimeError("a stored plan was not found")

    async def theirs(value: str) -> None:
        found = await database.look_up(bare, {"hash": value})
        if len(found) != 1:
            raise RuntimeError("a stored row was not found")

    asked = [pick.randrange(stored) for _ in range(round(RATE * seconds))]
    hashes = [sealer.number_hash(_e164(each)) for each in asked]
    for _ in range(WARMING):  # connections are made, statements prepared; the server has in memory what it can hold
        at = pick.randrange(stored)
        await ours(at)
        await theirs(sealer.number_hash(_e164(at)))
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    cpu = dict.fromkeys(times, 0.0)
    for first in range(0, len(asked), BLOCK):
        both: list[tuple[str, Callable[[Any], Awaitable[None]], list[Any]]] = [
            ("ours", ours, asked[first : first + BLOCK]), ("bare", theirs, hashes[first : first + BLOCK]),
        ]  # fmt: skip
        for name, ask, what in both if (number + first // BLOCK) % 2 else both[::-1]:
            before = time.process_time() + cpu_seconds(server.pid)
            times[name] += await _paced(ask, what)
            cpu[name] += time.process_time() + cpu_seconds(server.pid) - before
    return {
        name: percentiles(each) | {"cpu_ms": round(cpu[name] / len(each) * 1000, 3)} for name, each in times.items()
    }


async def _paced(ask: Callable[[Any], Awaitable[None]], what: list[Any]) -> list[float]:
    """Ask for each, :data:`RATE` a second whatever the answers do; the ms that each took."""

    async def timed(value: Any) -> float:
        began = time.perf_counter()
        await ask(value)
        return (time.perf_counter() - began) * 1000

    start, tasks = time.perf_counter(), []
    for at, value in enumerate(what):
        await asyncio.sleep(start + at / RATE - time.perf_counter())
        tasks.append(asyncio.create_task(timed(value)))
    return await asyncio.gather(*tasks)
