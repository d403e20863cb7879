"""What is gone here is gone for everybody: every worker, Asterisk itself, or a worker by an orderly deploy."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from callrouter.dispatch.redis_lines import LEASE_S, TAG
from infra.redis_keys import lease_key, name_key
from tests.faults.callers import NUMBERS, Caller, Phones
from tests.faults.house import PROVIDER_SOUNDS, SOUNDS, House, house
from tests.faults.journalled import journalled
from tests.faults.judging import Fate
from tests.faults.lives import STAGES
from tests.faults.providers import Leg
from tests.faults.rounds import in_a_thread, nobody_left, play_round, summary
from tests.faults.steps import hears, through
from tests.running import START_S

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

SHARE = dict.fromkeys(STAGES, 4) | {"talking": 6}
MACHINE_S = 1.0
"""What a busy machine may add to a bound of the network's."""


async def leg_of(it: House, provider: str, number: str, within: float) -> Leg:
    async with asyncio.timeout(within):
        while True:
            for leg in it.providers[provider].legs:
                if leg.number == number:
                    return leg
            await asyncio.sleep(0.01)


async def new_caller(it: House, number: str) -> Caller:
    caller = it.caller(number)
    caller.dial()
    return caller


async def test_all_workers_dead(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as it:
        talker = await through(it, NUMBERS[0], "3", PROVIDER_SOUNDS["one-eleven"])
        in_menu = await new_caller(it, NUMBERS[1])
        await in_menu.answered.wait()
        await hears(in_menu, SOUNDS["long_menu"])
        for worker in (*it.workers, it.watch):
            worker.kill()
        dead_at = time.monotonic()
        newcomer = await new_caller(it, NUMBERS[2])
        first = await leg_of(it, "fallback", newcomer.number, within=5)
        second = await leg_of(it, "fallback", in_menu.number, within=8)
        print(
            f"new call {first.invited_at - newcomer.invited_at:.3f} s, in progress {second.invited_at - dead_at:.3f} s"
        )
        assert first.invited_at - newcomer.invited_at < 0.6 + MACHINE_S
        assert second.invited_at - dead_at < 2.5 + MACHINE_S
        for caller in (newcomer, in_menu):
            await hears(caller, PROVIDER_SOUNDS["fallback"])
        assert not talker.dropped
        times = [each.at for each in talker.heard(dead_at)]
        assert len(times) > 0.8 * (times[-1] - times[0]) / 0.02
        talker.hang_up()  # while nobody of ours lives
        newcomer.hang_up()
        in_menu.hang_up()
        await nobody_left(it)
        for worker in (*it.workers, it.watch):
            await asyncio.to_thread(worker.wait)
            await asyncio.to_thread(worker.start)
        written = await journalled(it.database, 2)
    print(written)
    assert written.whole, written


async def test_a_talk_whose_worker_is_dead_is_counted_until_it_ends(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as it:
        await watching(it)
        talkers = [await through(it, NUMBERS[n], "3", PROVIDER_SOUNDS["one-eleven"]) for n in range(4)]
        assert await _lines(it) == 4
        for worker in it.workers:
            worker.kill()
        for worker in it.workers:
            await asyncio.to_thread(worker.wait)
        await asyncio.to_thread(it.workers[1].start)
        await lease_over(it)
        assert await _lines(it) == 4, "everybody still talks"
        assert not any(each.dropped for each in talkers)
        for caller in talkers:
            caller.hang_up()
        await nobody_left(it)
        await ended(it.database, 4, within=30)
        written = await journalled(it.database, 4)
        async with asyncio.timeout(START_S):
            while await _lines(it):  # noqa: ASYNC110 - it is read, it does not call
                await asyncio.sleep(0.1)
        assert await asyncio.to_thread(it.redis.client.zcard, f"{TAG}:left") == 4
    print(written)
    assert written.whole, written


async def lease_over(it: House) -> None:
    """Return when Redis has swept once the leases that callers have now are over."""
    leases = await asyncio.to_thread(it.redis.client.zrange, f"{TAG}:leases", 0, -1, withscores=True)
    over = max(until for _, until in leases)
    async with asyncio.timeout(LEASE_S + START_S):
        while await _swept(it) <= over:  # noqa: ASYNC110 - it is read, it does not call
            await asyncio.sleep(0.2)


async def _swept(it: House) -> float:
    return float(await asyncio.to_thread(it.redis.client.get, f"{TAG}:swept"))


async def _lines(it: House) -> int:
    return int(await asyncio.to_thread(it.redis.client.zcard, f"{TAG}:lines"))


async def test_deploy(tmp_path: Path) -> None:
    chance = random.Random(111)
    async with house(tmp_path, workers=2) as it:
        old = it.workers[0]

        def begin() -> None:
            old.signal(signal.SIGTERM)

        status: list[int] = []

        def another() -> None:
            status.append(old.wait())
            old.start()

        numbers = iter(chance.sample(NUMBERS, sum(SHARE.values())))
        fates = await play_round(it, numbers, in_a_thread(begin, another, 0.1), SHARE, chance)
        written = await journalled(it.database, len(fates))
    check(fates, dead_air_s=3.0)
    assert status == [0]
    assert written.whole, written


async def test_asterisk_hangs_for_a_moment(tmp_path: Path) -> None:
    chance, moment_s = random.Random(111), 1.5
    async with house(tmp_path, workers=2) as it:
        fault = in_a_thread(
            lambda: os.kill(it.asterisk.pid, signal.SIGSTOP), lambda: os.kill(it.asterisk.pid, signal.SIGCONT), moment_s
        )
        fates = await play_round(it, iter(chance.sample(NUMBERS, sum(SHARE.values()))), fault, SHARE, chance)
        written = await journalled(it.database, len(fates))
    check(fates, dead_air_s=3.0 + moment_s)
    assert written.whole, written


async def test_asterisk_killed_and_started_again(tmp_path: Path) -> None:
    """One Asterisk alone: its callers are cut off, each is closed once, and the next caller is served."""
    async with house(tmp_path, workers=2) as it:
        callers = [await through(it, NUMBERS[n], "3", PROVIDER_SOUNDS["one-eleven"]) for n in range(2)]
        callers.append(await new_caller(it, NUMBERS[2]))
        await callers[-1].answered.wait()
        await hears(callers[-1], SOUNDS["long_menu"])
        await asyncio.to_thread(it.asterisk.kill)
        await asyncio.to_thread(it.asterisk.start)
        for provider in it.providers.values():
            await asyncio.to_thread(it.asterisk.cli, f"pjsip qualify provider-{provider.name}")
        again = await _served(it, NUMBERS[3:13])
        again.hang_up()
        await nobody_left(it)
        connection_lost = await journalled(it.database, 4)
    print(connection_lost)
    assert connection_lost.gaps == 0
    assert set(connection_lost.ends) == {1}, connection_lost


async def test_asterisk_stays_away(tmp_path: Path) -> None:
    """One of two: who rings back goes on through the other one, at once or when all is closed; each call ended once."""
    async with house(tmp_path, workers=2, asterisks=2) as it:
        assert it.second is not None
        elsewhere = Phones(it.second.ports.sip)
        await elsewhere.open()
        talker = await through(it, NUMBERS[0], "3", PROVIDER_SOUNDS["one-eleven"])
        in_menu = await new_caller(it, NUMBERS[1])
        patient = await new_caller(it, NUMBERS[2])
        await hears(in_menu, SOUNDS["long_menu"])
        await hears(patient, SOUNDS["long_menu"])
        await watching(it)
        await looks(it)  # the watch has seen them where they are
        await asyncio.to_thread(it.asterisk.kill)
        killed_at = time.monotonic()
        await out_of_sight(it, callers=3)
        print(f"out of everybody's sight {time.monotonic() - killed_at:.1f} s after the death")
        again = [Caller(each.number, elsewhere) for each in (talker, in_menu, patient)]
        # who was talking is put through at once
        for caller, then in zip(again, (PROVIDER_SOUNDS["one-eleven"], *(SOUNDS["long_menu"],) * 2), strict=True):
            if caller.number == patient.number:
                await ended(it.database, 3, within=90)
                print(f"the last one closed {time.monotonic() - killed_at:.1f} s after the death")
            caller.dial()
            await hears(caller, SOUNDS["sorry_cut_off"], within=20)
            await hears(caller, then, within=20)
        for caller in again:
            caller.hang_up()
        await asyncio.to_thread(it.asterisk.start)
        await ended(it.database, 6, within=30)
        await looks(it)  # what the first one tells, now that it is back, is nothing new
        written = await journalled(it.database, 6)
        resumed = await resuming(it.database)
        elsewhere.close()
    print(written)
    assert written.whole, written
    assert resumed == 3


async def watching(it: House) -> None:
    """Return when the watch looks: on a busy machine it may take longer to start than callers to ring."""
    async with asyncio.timeout(START_S):
        while "watching" not in it.watch.log.read_text():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.1)


async def looks(it: House) -> None:
    """Return when the watch has looked at the first Asterisk, from beginning to end, since this was called.

    Each look renews what that Asterisk says of its trunks. The first may have begun before; the second has not, and is
    over when the third renews it.
    """
    field = f"one-eleven|{urlsplit(it.asterisk.ari_url).netloc}"
    said = await _said(it, field)
    async with asyncio.timeout(START_S):
        for _ in range(3):
            before = said
            while said == before:
                await asyncio.sleep(0.1)
                said = await _said(it, field)


async def _said(it: House, field: str) -> bytes | None:
    return await asyncio.to_thread(it.redis.client.hget, f"{TAG}:edges", field)


async def out_of_sight(it: House, callers: int) -> None:
    """Return when no worker says that it is connected to the first Asterisk, and the watch has missed its callers."""
    connected = lease_key(f"connected:{urlsplit(it.asterisk.ari_url).netloc}")
    async with asyncio.timeout(START_S):
        while it.redis.client.exists(connected) or len(it.redis.client.keys(name_key("doubted.*"))) < callers:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def ended(database: str, calls: int, within: float) -> None:
    """Return when the journal has the ends of so many calls; raises TimeoutError."""
    async with asyncio.timeout(within):
        while await _count(database, "kind = 'ended'") < calls:  # noqa: ASYNC110 - it is read, it does not call
            await asyncio.sleep(0.2)


async def resuming(database: str) -> int:
    """How many calls go on with another one that was cut off."""
    return await _count(database, "kind = 'offered' AND facts->>'resumes' IS NOT NULL")


async def _count(database: str, where: str) -> int:
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        found: int = await connection.fetchval(f"SELECT count(*) FROM journal WHERE {where}")
        return found
    finally:
        await connection.close()


async def _served(it: House, numbers: Sequence[str]) -> Caller:
    """The first caller whom a provider takes, whoever of ours is back by then."""
    for number in numbers:
        caller = await new_caller(it, number)
        try:
            async with asyncio.timeout(10):
                while not it.reached(number):
                    if caller.hears() is not None and not caller.pressed:
                        await hears(caller, SOUNDS["long_menu"])
                        caller.press("3")
                    await asyncio.sleep(0.05)
            return caller
        except TimeoutError:
            caller.hang_up()
    raise AssertionError("nobody is served any more")


def check(fates: Sequence[Fate], dead_air_s: float) -> None:
    found = summary(fates)
    print(json.dumps(found))
    assert found["lost"] == 0, [each for each in fates if each.lost]
    assert found["dropped"] == 0, [each for each in fates if each.dropped]
    assert found["two_legs_at_once"] == 0, [each for each in fates if each.at_once > 1]
    assert found["dead_air_max_s"] < dead_air_s, [each for each in fates if each.dead_air >= dead_air_s]
