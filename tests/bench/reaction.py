"""How soon a worker reacts to an ARI event: until its command is back at Asterisk's socket, against a bare client.

Asterisk is a stand-in without sound (`ari_clock`): with real calls the noise of audio and threads would be larger than
what is measured. First calls come one right after another, so that nobody waits for anybody else's event, but the
worker never rests; then so many begin a second, on the clock, whatever has become of those before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import uvloop

from tests.bench.ari_clock import AriClock, ari_clock, menu_call
from tests.bench.figures import percentiles
from tests.bench.line import providers_file, short_prompts
from tests.bench.machine import Busy, cpu_seconds
from tests.bench.numbers import fictional_numbers
from tests.bench.running import KEYS, MeasuredService, Rival
from tests.bench.servers import Servers, servers
from tests.running import free_port

WARM_UP = 30
EVENTS = ("start", "wrong_key", "key")
A_SECOND = 20
"""A third of what one worker carries (``capacity``): the rate of the second part, for all variants."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: calls a round and variant."""

    calls: int
    rounds: int


FULL = Size(calls=200, rounds=3)
QUICK = Size(calls=30, rounds=1)


@dataclass(frozen=True, slots=True)
class _House:
    folder: Path
    servers: Servers
    prompts: Path
    numbers: Iterator[str]


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Every raw figure of interleaved rounds: as :func:`tests.bench.ari_clock.menu_call` tells them."""
    rounds: list[dict[str, Any]] = []
    with servers(folder) as both:
        house = _House(folder, both, short_prompts(folder / "prompts"), fictional_numbers())
        for number in range(size.rounds):
            names = list(VARIANTS) if number % 2 == 0 else list(reversed(VARIANTS))
            rounds.append({name: uvloop.run(_round(house, name, number, size.calls)) for name in names})
    return {"conditions": {"calls_a_round": size.calls, "rounds": size.rounds, "warm_up": WARM_UP,
                           "paced_a_second": A_SECOND}, "rounds": rounds}  # fmt: skip


async def _round(house: _House, name: str, number: int, calls: int) -> dict[str, Any]:
    place = house.folder / f"round-{number}-{name}"
    place.mkdir(parents=True)
    async with ari_clock() as clock, _started(clock, VARIANTS[name](house, place, clock.url)) as program:
        for each in range(WARM_UP):
            await menu_call(clock, each + 1, next(house.numbers))
        cpu, busy = cpu_seconds(program.pid), Busy.now()
        waits = [await menu_call(clock, WARM_UP + each + 1, next(house.numbers)) for each in range(calls)]
        used = cpu_seconds(program.pid) - cpu
        others = Busy.now().others(busy, used)
        paced = await _paced(clock, WARM_UP + calls + 1, [next(house.numbers) for _ in range(calls)])
    figures = {"cpu_ms_a_call": round(used / calls * 1000, 3), "other_cores_busy": others}
    return {**_figures(waits), **figures, "paced": _figures(paced)}


async def _paced(clock: AriClock, first: int, numbers: Sequence[str]) -> list[tuple[float, float, float]]:
    begun = time.monotonic()
    async with asyncio.TaskGroup() as calls:
        tasks = []
        for n, number in enumerate(numbers):
            await asyncio.sleep(begun + n / A_SECOND - time.monotonic())
            tasks.append(calls.create_task(menu_call(clock, first + n, number)))
    return [each.result() for each in tasks]


def _figures(waits: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    raw = {event: [each[n] for each in waits] for n, event in enumerate(EVENTS)}
    summed = {event: percentiles(each) for event, each in raw.items()}
    return {**summed, **{f"{event}_ms": [round(one, 3) for one in each] for event, each in raw.items()}}


@asynccontextmanager
async def _started(clock: AriClock, program: MeasuredService | Rival) -> AsyncIterator[MeasuredService | Rival]:
    """Started and ended in a thread: it talks to us meanwhile."""
    await asyncio.to_thread(program.__enter__)
    try:
        await clock.wait_connected()
        yield program
    finally:
        await asyncio.to_thread(program.__exit__, None, None, None)


def _ours(house: _House, place: Path, url: str) -> MeasuredService:
    return MeasuredService(place, _own(house, url))


def _own(house: _House, url: str) -> dict[str, str]:
    return {"PROVIDERS_FILE": str(providers_file(house.folder)), "PROMPTS_AUDIO_DIR": str(house.prompts), "KEYS": KEYS,
            "ARI_URL": url, "ARI_PASSWORD": "x"}  # fmt: skip


def _production(house: _House, place: Path, url: str) -> MeasuredService:
    shared = {"DATABASE_URL": house.servers.fresh(), "REDIS_URL": house.servers.redis.url}
    return _BesideBackground(place, _own(house, url) | shared)


class _BesideBackground(MeasuredService):
    """A worker that takes calls, which is measured, and a background process on the same two cores."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder, {**settings, "PARTS": "calls"})
        self._background = MeasuredService(folder / "background", {**settings, "PARTS": "background"})

    def __enter__(self) -> Self:
        self._background.__enter__()
        super().__enter__()
        return self

    def stop(self) -> int:
        """End both."""
        status = super().stop()
        return self._background.stop() or status


def _bare(house: _House, place: Path, url: str) -> Rival:
    port = free_port()
    environment = {"BENCH_PORT": str(port), "BENCH_ARI_URL": url, "BENCH_PROMPTS": str(house.prompts)}
    return Rival(["tests.bench.rivals.bare_ari"], port, place / "log", environment)


VARIANTS: dict[str, Callable[[_House, Path, str], MeasuredService | Rival]] = {
    "bare": _bare,
    "embedded": _ours,
    "production": _production,
}
