"""Running the service: what goes on behind the calls, from the start of a process to its end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from callrouter.calls import Calls
from callrouter.dispatch.shared import SharedDispatch
from callrouter.leftovers import close_leftovers
from callrouter.months import keep_months_ahead
from callrouter.parts import Going, Reserve, say_background_works
from callrouter.plans.access import PLAN_KEYS
from callrouter.readiness import Readiness
from callrouter.wiring import Service
from careplans.errors import KeysDoNotFit
from infra import garbage
from infra.errors import StateUnavailable
from infra.health import watch
from infra.lease import Lease
from infra.loops import repeat, until_next
from infra.nudges import Nudges
from infra.sql import ask_database

LEFTOVERS_S = 5.0
"""Longest that the start of a process waits for a database before it takes calls without."""

DRAIN_S = 5.0
"""Longest that the end of a process waits for the journal; a batch of 500 entries takes a tenth of a second."""

KEYS_EVERY_S = 10.0
"""Between questions whether stored plans are under our keys: for so long others may come in beside us unseen."""

log = structlog.get_logger()


@asynccontextmanager
async def dispatching(service: Service) -> AsyncIterator[None]:
    """Keep the callers of this process in the lines that workers share; without Redis there is nothing to do."""
    shared = service.dispatch
    if not isinstance(shared, SharedDispatch):
        yield
        return
    loop = asyncio.create_task(shared.run())
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await shared.close()


def readiness_of(service: Service) -> Readiness:
    """Whether new calls may be sent to this service."""
    settings = service.settings
    return Readiness(
        service.health,
        # a set-up with an Asterisk and without Twilio's tokens has no other network; pages need none
        serves_twilio=settings.twilio_auth_tokens is not None
        or settings.ari_url is None
        or settings.parts == "background",
        journal_lag_s=lambda: service.writer.lag_s(service.clock.now()),
    )


async def _begin(service: Service) -> None:
    """What has to be read or put right before the first caller."""
    writer, after = service.writer, service.after_calls
    for reader in (writer, after.indexer, after.unanswered):
        with suppress(StateUnavailable):  # callers come first: it joins when the store is there
            await reader.join()
    await service.texting.join()
    await service.surges.join()
    await service.counting.join()
    if service.stores.nudges is None:
        await _close_leftovers(service)  # live state was this process' own, and is gone; else the calls go on
    await service.messaging.first_look()
    await service.publishing.begin(replace=not service.settings.is_production, budget_s=LEFTOVERS_S)


def _loops(service: Service) -> Iterator[Coroutine[Any, Any, None]]:
    """All that goes on until the process ends, each on its own: one that fails takes no other with it."""
    # alerts need no lease: of two workers one wins in SQL, and an alarm must not hang on the state store
    yield service.alerts.run()
    yield service.messaging.live.follower.follow(service.health)
    yield service.publishing.follow(service.health)
    yield service.plan_access.entering()
    yield from service.channels.loops()
    yield garbage.looking()
    going = Going(service.writer.step, service.clock)
    work = partial(_background_work, service, going)
    match service.settings.parts:
        case "all":
            yield from work()
        case "background":
            yield from work()
            yield say_background_works(service.stores.leases, lambda: going.goes_on and service.health.works("sql"))
        case "calls":
            yield Reserve(work, service.stores.leases, service.health).run()


def _background_work(service: Service, going: Going) -> Iterator[Coroutine[Any, Any, None]]:
    """What is made of calls: nobody on the telephone waits for it."""
    board, staged = service.board, service.staged
    lease = partial(Lease, service.stores.leases, holder=secrets.token_hex(8))
    yield repeat(
        "journal", going.step, full=service.writer.BATCH, lease=lease(name="journal"), lost=going.left_to_another
    )
    yield repeat("figures", board.step, full=board.BATCH)
    yield keep_months_ahead(service.journal, service.clock)
    yield repeat("messages", service.messaging.look_after, full=1, lease=lease(name="messages"))
    yield repeat("staged", staged.step, full=staged.BATCH, lease=lease(name="staged"))
    yield from service.plan_access.loops(lease)
    yield from service.texting.loops(lease)
    yield from service.after_calls.loops(lease)
    yield from service.surges.loops(lease)
    yield from service.counting.loops(lease)
    yield service.plan_sources.schedule.run()


def _prompt_loops(service: Service) -> Iterator[Coroutine[Any, Any, None]]:
    """What callers wait for, and what says how the things are that they stand on."""
    stores = service.stores
    yield watch(service.health, "sql", partial(ask_database, service.database))
    yield _watch_plan_keys(service)
    if stores.nudges is not None:
        yield _hear_nudges(service.calls, stores.nudges)
        yield watch(service.health, "redis", stores.ask)
        yield stores.run()


async def _watch_plan_keys(service: Service) -> None:
    while True:
        with suppress(SQLAlchemyError, OSError):  # that the database is away is said by its own part
            try:
                await service.plans.check_keys()
            except KeysDoNotFit as error:
                service.health.failed(PLAN_KEYS, error.error_id)
            else:
                service.health.ok(PLAN_KEYS)
        await asyncio.sleep(until_next(KEYS_EVERY_S))


async def _close_leftovers(service: Service) -> None:
    try:
        async with asyncio.timeout(LEFTOVERS_S):
            closed = await close_leftovers(service.journal, service.stores.stream, service.clock)
    except (SQLAlchemyError, OSError) as error:
        log.error("leftovers_not_closed", error=type(error).__name__)  # callers come first: start all the same
    else:
        log.info("leftovers_closed", calls=closed)


async def _hear_nudges(calls: Calls, nudges: Nudges) -> None:
    async for call_ref in nudges.listen():
        try:
            await calls.nudged(call_ref)
        except Exception as error:  # noqa: BLE001 - the next nudge is another caller's
            log.error("nudge_failed", call_ref=call_ref, error=type(error).__name__)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """Run everything that goes on behind the calls; on leaving, stop it and write what the journal lacks."""
    service.health.expect("sql")
    await _begin(service)
    loops = [asyncio.create_task(service.turns.giving_way(each)) for each in _loops(service)]
    loops += [asyncio.create_task(each) for each in _prompt_loops(service)]
    try:
        async with dispatching(service):
            yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await service.replays.close()
        await service.calls.close()
        await _drain(service)
        await service.stores.close()
        await service.database.close()


async def _drain(service: Service) -> None:
    """The journal first, since the others read it, and they only where the stream ends with this process."""
    after = service.after_calls
    others = (after.indexer.step, after.unanswered.step, service.counting.folder.step, service.surges.counter.step)
    try:
        async with asyncio.timeout(DRAIN_S):
            await service.writer.drain()
            for step in others if service.stores.nudges is None else ():
                while await step(0):
                    pass
    except (SQLAlchemyError, StateUnavailable, OSError, TimeoutError) as error:
        # a stream that outlives us gives the entries to another process
        log.error("journal_not_drained", error=type(error).__name__)
