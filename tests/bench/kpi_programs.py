"""What ``tests.bench.kpi`` measures, each in a process of its own on one core."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from alerts.figures.history import KpiHistory, day_row
from alerts.figures.history_rows import midnight
from alerts.figures.history_tables import kpi_days
from alerts.figures.items import Scope
from alerts.figures.kpi import LiveFigures
from alerts.figures.shares import Share
from alerts.figures.tally import Tally
from callrouter import events as ev
from callrouter.figures.board import Board
from callrouter.journal import Journal
from callrouter.journal import metadata as journal_tables
from infra import garbage
from infra.bus import Entry
from infra.clock import SystemClock
from infra.crypto import KeyRing
from infra.redis import RedisAddress, RedisLink
from infra.redis_stream import RedisStream
from infra.sql import Database, connect_database

EVENTS_A_CALL = 17
CALLS_GOING_ON = 300
PROVIDERS = {f"provider-{n}": f"Provider {n}" for n in range(5)}


def a_call(number: int, start: datetime, random: Random) -> list[Entry]:
    """One call as London's front door tells it."""
    provider = f"provider-{random.randrange(5)}"
    answered = random.random() < 0.93
    told: list[ev.Event] = [
        ev.Offered(
            network="sip", dialled="111", cli_class="present", flow="london", flow_version="1", context=str(number)
        ),
        ev.AreaKnown(area=f"area-{random.randrange(33)}", by="number"),
        *(each for node in range(4) for each in (
            ev.NodeEntered(node=f"node{node}"), ev.PromptsPlayed(prompts=("menu",), wait_id=f"1.{node}"))),
        ev.ChoiceMade(node="menu", choice="111", by="key"),
        ev.Queued(services=("111",), band="routine"),
        ev.LegStarted(provider=provider, service="111", band="routine"),
        ev.LegRinging(provider=provider),
    ]  # fmt: skip
    if answered:
        told += [ev.LegAnswered(provider=provider, evidence="agent"),
                 ev.TalkEnded(provider=provider, by="caller", cause="normal", talk_s=300.0)]  # fmt: skip
    told.append(ev.Ended(end_class="answered" if answered else "abandoned", reason="hung_up", by="caller"))
    at, entries = start, []
    for seq, event in enumerate(told, start=1):
        at += timedelta(seconds=random.random() * 20)
        entries.append(Entry(f"call-{number}", seq, at, event.kind, ev.split(event)[0]))
    return entries


def in_turn(calls: int, start: datetime) -> Iterator[list[Entry]]:
    """Events one by one, as some hundred calls at a time tell them."""
    random = Random(111)
    going_on: list[list[Entry]] = []
    for number in range(calls):
        going_on.append(a_call(number, start, random))
        while len(going_on) >= CALLS_GOING_ON or (number == calls - 1 and going_on):
            told = random.choice(going_on)
            yield [told.pop(0)]
            if not told:
                going_on.remove(told)


def in_process(calls: int) -> dict[str, Any]:
    """Events a second of CPU, with the figures of everybody asked for after every ``asked_every`` events."""
    start = datetime.now(UTC).replace(hour=12)  # all of one day, whatever the hour
    entries = [entry for told in in_turn(calls, start) for entry in told]
    now = start + timedelta(minutes=10)
    live, asked_every = LiveFigures(PROVIDERS), 50_000
    garbage.seldom()  # as the service; looking for garbage among these entries is no work of the engine
    began = time.process_time()
    for number, entry in enumerate(entries, start=1):
        live.apply(entry)
        if number % asked_every == 0:
            live.figures(now)
    total = live.figures(now).total
    spent = time.process_time() - began
    if total.offered != calls or total.in_progress:
        raise AssertionError("the figures are not those of the calls")
    return {"events_per_s": round(len(entries) / spent), "asked_every": asked_every, "events": len(entries)}


async def through_redis(url: str, rate: int, seconds: int) -> dict[str, Any]:
    """``rate`` events a second written to and read from Redis Streams by this process, on one core."""
    clock, calls = SystemClock(), rate * seconds // EVENTS_A_CALL
    with tempfile.TemporaryDirectory() as folder:
        database = connect_database(f"sqlite:///{folder}/empty.db")
        await database.write(journal_tables.create_all)
        stream = RedisStream(RedisLink(RedisAddress.parse(url)))
        board = Board(LiveFigures(PROVIDERS), stream, Journal(database, KeyRing(b"m" * 32, b"i" * 32)), clock)
        await stream.join("journal")
        await board.step(0)
        sent: list[datetime] = []
        began, cpu = time.monotonic(), time.process_time()
        writer = asyncio.create_task(_write(stream, calls, rate, sent))
        lags, done = await _read(board, stream, writer, sent)
        spent = (time.monotonic() - began, time.process_time() - cpu)
        figures = board.figures()
        await database.close()
    if figures is None or figures.total.offered != calls or figures.total.in_progress or done != len(sent):
        raise AssertionError("the figures are not those of the calls")
    cuts = statistics.quantiles(lags, n=100, method="inclusive")
    return {"events_per_s": round(done / spent[0]), "cpu_share": round(spent[1] / spent[0], 3),
            "lag_p50_ms": round(cuts[49] * 1000, 1), "lag_p99_ms": round(cuts[98] * 1000, 1)}  # fmt: skip


async def _write(stream: RedisStream, calls: int, rate: int, sent: list[datetime]) -> None:
    began = time.monotonic()
    for told in in_turn(calls, datetime.now(UTC)):
        early = len(sent) / rate - (time.monotonic() - began)
        if early > 0:
            await asyncio.sleep(early)
        now = datetime.now(UTC)
        sent.append(now)
        await stream.append([replace(told[0], at=now)])


async def _read(
    board: Board, stream: RedisStream, writer: asyncio.Task[None], sent: list[datetime]
) -> tuple[list[float], int]:
    """Read until all is written and read; the lag of each event until figures with it can be asked for."""
    lags: list[float] = []
    asked = time.monotonic()
    while not (writer.done() and len(lags) == len(sent)):
        done = await board.step(0.05)
        if time.monotonic() - asked >= 1.0:
            board.figures()
            asked = time.monotonic()
        now = datetime.now(UTC)
        lags += [(now - at).total_seconds() for at in sent[len(lags) : len(lags) + done]]
        if batch := await stream.read("journal", limit=1000, wait_s=0):
            await stream.acknowledge("journal", [position for position, _ in batch])
    await writer
    return lags, len(lags)


async def a_year(url: str) -> dict[str, Any]:
    """Milliseconds for each day of a year by provider, from made-up days of 2,000 calls a provider."""
    database = connect_database(url)
    await database.write(kpi_days.metadata.create_all)
    first, random = date(2025, 1, 1), Random(7)
    for month in range(0, 365, 28):
        days = [first + timedelta(days=month + n) for n in range(min(28, 365 - month))]
        rows = [_a_day(day, provider, random) for day in days for provider in PROVIDERS]
        await database.write(lambda connection, rows=rows: connection.execute(kpi_days.insert(), rows))
    took = await _asked(database, first)
    await database.close()
    return {"year_ms": round(min(took), 1), "year_median_ms": round(statistics.median(took), 1)}


async def _asked(database: Database, first: date) -> list[float]:
    history, took = KpiHistory(database, {}), []
    for _ in range(7):
        began = time.perf_counter()
        found = await history.days(first, first + timedelta(days=364), "provider")
        took.append((time.perf_counter() - began) * 1000)
        if len(found) != 365 * len(PROVIDERS):
            raise AssertionError("a day is missing")
    return took


def _a_day(day: date, provider: str, random: Random) -> dict[str, Any]:
    tally, scope = Tally(), Scope("provider", provider)
    for _ in range(2000):
        us = int(random.expovariate(1 / 40) * 1_000_000)
        end = "answered" if random.random() < 0.95 else "abandoned"
        tally.add(Share(scope, midnight(day), end, True, (("offered", us), ("message_end", us))))
    return day_row(day, scope, tally)


def main() -> dict[str, Any]:
    """Run what the arguments name, on the core that they name."""
    what, *rest = sys.argv[1:]
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    match what:
        case "in-process":
            return in_process(int(rest[0]))
        case "redis":
            return asyncio.run(through_redis(rest[0], int(rest[1]), int(rest[2])))
        case _:
            return asyncio.run(a_year(rest[0]))


if __name__ == "__main__":
    print(json.dumps(main()))
