"""The one place where the parts are put together."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from alerts.life.service import AlertService
from alerts.model import Parts
from callrouter.after_calls import AfterCalls, after_calls
from callrouter.alerting.channels import Channels, open_channels
from callrouter.alerting.probe import FlowsWithProbe, with_probe
from callrouter.alerting.watching import alert_rules, open_alerts
from callrouter.calls import Calls
from callrouter.desk import Desk
from callrouter.dispatch.local import LocalDispatch
from callrouter.dispatch.providers import Providers, read_providers
from callrouter.dispatch.shared import SharedDispatch
from callrouter.errors import ConfigurationError
from callrouter.figures.board import Board
from callrouter.figures.kpis import Counting, live_figures, open_counting
from callrouter.flows import load_prompts
from callrouter.hours import read_hours
from callrouter.journal import Journal, JournalWriter
from callrouter.leftovers import close_leftovers
from callrouter.lookups import Lookups
from callrouter.messaging import Layered, Messaging, messaging
from callrouter.months import keep_months_ahead
from callrouter.nearby import Nearby
from callrouter.plans.access import PlanAccess, plan_access
from callrouter.plans.pathways import FoundPlans
from callrouter.plans.sources import PlanSources, open_plan_sources
from callrouter.ports import Dispatch, Meaning, Messages
from callrouter.publishing.opening import open_publishing
from callrouter.publishing.published import Texts
from callrouter.publishing.service import Publishing
from callrouter.publishing.staged import StagedWatch
from callrouter.readiness import Readiness
from callrouter.repeat.contacts import RepeatCalls
from callrouter.replay.service import Replay
from callrouter.settings import Settings
from callrouter.stores import Stores, open_stores
from callrouter.surges.reading import Surges, open_surges
from callrouter.texting import Texting, open_texting
from callrouter.texts.in_force import texts_in_force
from careplans.service import CarePlans
from infra.areas import london
from infra.clock import Clock, SystemClock
from infra.crypto import KeyRing
from infra.errors import StateUnavailable
from infra.health import Health, watch
from infra.keys import EnvironmentKeys, KeyFile, KeyProvider
from infra.lease import Lease
from infra.loops import repeat
from infra.secrets_file import load_or_create_secret
from infra.sql import Database, ask_database, connect_database
from nlp.errors import LexiconError
from nlp.lexicon import read_lexicon
from nlp.service import KeywordUnderstanding

LEFTOVERS_S = 5.0
"""Longest that the start of a process waits for a database before it takes calls without."""

DRAIN_S = 5.0
"""Longest that the end of a process waits for the journal; a batch of 500 entries takes a tenth of a second."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that runs, ready to be given to adapters and pages."""

    settings: Settings
    clock: Clock
    database: Database
    keys: KeyRing
    providers: Providers
    prompts: Mapping[str, str]
    calls: Calls
    dispatch: Dispatch
    stores: Stores
    journal: Journal
    writer: JournalWriter
    board: Board
    after_calls: AfterCalls
    alerts: AlertService
    channels: Channels
    desk: Desk
    plans: CarePlans
    plan_access: PlanAccess
    plan_sources: PlanSources
    health: Health
    messaging: Messaging
    publishing: Publishing
    staged: StagedWatch
    replay: Replay
    texting: Texting
    surges: Surges
    counting: Counting


def key_ring(settings: Settings) -> KeyRing:
    """The keys of the settings, or a development set-up's own."""
    name, provider = _key_provider(settings)
    try:
        return provider.read()
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def _key_provider(settings: Settings) -> tuple[str, KeyProvider]:
    if settings.keys is not None:
        return "CALLROUTER_KEYS", EnvironmentKeys(settings.keys.get_secret_value())
    if settings.keys_file is not None:
        return "CALLROUTER_KEYS_FILE", KeyFile(settings.keys_file)
    return "the key file in the data folder", KeyFile(settings.data_dir / "keys", create=True)


def session_secret(settings: Settings) -> str:
    """What signs the sign-in cookie."""
    if settings.session_secret is not None:
        return settings.session_secret.get_secret_value()
    return load_or_create_secret(settings.data_dir / "session-secret")


class _Understanding:
    """What was said, as the door asks for it."""

    def __init__(self, understanding: KeywordUnderstanding) -> None:
        self._understanding = understanding

    async def understand(self, said: str, vocabulary: Mapping[str, Sequence[str]]) -> Meaning:
        understood = self._understanding.understand(said, vocabulary)
        flag = understood.red_flag
        if flag is None:
            return Meaning(understood.choice)
        return Meaning(understood.choice, flag.category, flag.phrase, flag.lexicon)


def build(settings: Settings) -> Service:
    """Put the service together; raises :class:`ConfigurationError` naming file, line and cause."""
    clock = SystemClock()
    health = Health(clock)
    keys = key_ring(settings)
    providers = read_providers(settings.providers_file)
    prompts = load_prompts(settings.prompts_file)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = connect_database(settings.database)
    publishing, flows = open_publishing(settings, database, clock, providers.services, texts_in_force(settings))
    stores = open_stores(settings)
    stream = stores.stream
    journal = Journal(database, keys)
    rules = alert_rules(settings, providers)
    access = plan_access(
        settings, database, keys, clock, journal=journal, providers=providers, rules=rules, health=health
    )
    plans = CarePlans(database, keys, clock, access.trail)
    messages = messaging(settings, database, clock, rules=rules, services=providers.services, languages=flows.languages)
    after = after_calls(settings, database, keys, clock, stream, journal, providers=providers, rules=rules)
    reachable = with_probe(providers)
    dispatch = _dispatch(stores, reachable, clock, health)
    nearby = Nearby(clock, hours=read_hours(settings.hours_file), areas=london(), free_state=dispatch.state)
    calls = Calls(
        states=stores.states,
        flows=FlowsWithProbe(flows, flows.name, settings.auditor_number),
        lookups=_lookups(
            settings, FoundPlans(plans, after.shared), after.repeats, messages.live, clock, health, nearby
        ),
        dispatch=dispatch,
        keys=keys,
        clock=clock,
        new_id=lambda: secrets.token_hex(16),
        answers={each.id: each.answers for each in providers},
        nudge=stores.nudges.send if stores.nudges else None,
    )
    dispatch.on_offer = calls.offered
    names = {each.id: each.name for each in providers}
    board = Board(live_figures(names), stream, journal, clock)
    writer = JournalWriter(stream, journal)
    counting = open_counting(database, providers, stream, journal, board, clock, health, keys=keys, shared=after.shared)
    channels = open_channels(settings, database, keys, clock)

    def parts() -> Parts:
        silent_s, seen_by = (
            board.without_probe_s() if settings.auditor_url else None,
            f"{settings.host}:{settings.port}",
        )
        return Parts(health.failing_s(), writer.lag_s(clock.now()), seen_by, silent_s, counting.check.differ)

    return Service(
        settings=settings,
        clock=clock,
        database=database,
        keys=keys,
        providers=reachable,
        prompts=Layered(Texts(flows, flows.language, prompts), messages.live.texts),
        calls=calls,
        dispatch=dispatch,
        stores=stores,
        journal=journal,
        writer=writer,
        board=board,
        after_calls=after,
        alerts=open_alerts(settings, channels, board, rules, database, clock, parts, health),
        channels=channels,
        desk=Desk(journal, calls, access.on_call, names),
        plans=plans,
        plan_access=access,
        plan_sources=open_plan_sources(settings, database, keys, clock, health, stores.leases),
        health=health,
        messaging=messages,
        publishing=publishing,
        staged=StagedWatch(stream, journal, database, publishing, clock),
        replay=Replay(journal, publishing),
        texting=open_texting(settings, database, keys, clock, stream=stream, journal=journal, calls=calls),
        counting=counting,
        surges=open_surges(
            settings, database, keys, clock, stream, journal, rules=rules, messages=messages.service, health=health
        ),
    )


def _dispatch(stores: Stores, providers: Providers, clock: Clock, health: Health) -> LocalDispatch | SharedDispatch:
    if stores.link is None:
        return LocalDispatch(providers, clock)
    return SharedDispatch(stores.link, providers, clock, secrets.token_hex(8), health=health)


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


def _lookups(
    settings: Settings,
    plans: FoundPlans,
    repeats: RepeatCalls,
    messages: Messages,
    clock: Clock,
    health: Health,
    nearby: Nearby,
) -> Lookups:
    try:
        understanding = _Understanding(KeywordUnderstanding(read_lexicon()))
    except LexiconError as error:
        raise ConfigurationError(str(error)) from error
    return Lookups(
        plans=plans,
        repeats=repeats,
        understanding=understanding,
        clock=clock,
        messages=messages,
        budget_s=settings.lookup_budget_ms / 1000,
        health=health,
        nearby=nearby,
    )


def readiness_of(service: Service) -> Readiness:
    """Whether new calls may be sent to this service."""
    settings = service.settings
    return Readiness(
        service.health,
        # a set-up with an Asterisk and without Twilio's tokens has no other network than Asterisk
        serves_twilio=settings.twilio_auth_tokens is not None or settings.ari_url is None,
        journal_lag_s=lambda: service.writer.lag_s(service.clock.now()),
    )


async def _close_leftovers(service: Service) -> None:
    try:
        async with asyncio.timeout(LEFTOVERS_S):
            closed = await close_leftovers(service.journal, service.stores.stream, service.clock)
    except (SQLAlchemyError, OSError) as error:
        log.error("leftovers_not_closed", error=type(error).__name__)  # callers come first: start all the same
    else:
        log.info("leftovers_closed", calls=closed)


async def _hear_nudges(service: Service) -> None:
    if service.stores.nudges is not None:
        async for call_ref in service.stores.nudges.listen():
            try:
                await service.calls.nudged(call_ref)
            except Exception as error:  # noqa: BLE001 - the next nudge is another caller's
                log.error("nudge_failed", call_ref=call_ref, error=type(error).__name__)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """Run everything that goes on behind the calls; on leaving, stop it and write what the journal lacks."""
    service.health.expect("sql")
    writer, board, staged, after = service.writer, service.board, service.staged, service.after_calls
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
    lease = partial(Lease, service.stores.leases, holder=secrets.token_hex(8))
    # alerts need no lease: of two workers one wins in SQL, and an alarm must not hang on the state store
    loops = [
        asyncio.create_task(watch(service.health, "sql", partial(ask_database, service.database))),
        asyncio.create_task(repeat("journal", writer.step, full=writer.BATCH, lease=lease(name="journal"))),
        asyncio.create_task(repeat("figures", board.step, full=board.BATCH)),
        asyncio.create_task(service.alerts.run()),
        asyncio.create_task(keep_months_ahead(service.journal, service.clock)),
        asyncio.create_task(_hear_nudges(service)),
        asyncio.create_task(service.messaging.live.follower.follow(service.health)),
        asyncio.create_task(repeat("messages", service.messaging.look_after, full=1, lease=lease(name="messages"))),
        asyncio.create_task(service.publishing.follow(service.health)),
        asyncio.create_task(repeat("staged", staged.step, full=staged.BATCH, lease=lease(name="staged"))),
    ]
    loops += map(asyncio.create_task, service.plan_access.loops(lease))
    loops += map(asyncio.create_task, service.channels.loops())
    loops += [asyncio.create_task(each) for each in service.texting.loops(lease)]
    loops += map(asyncio.create_task, after.loops(lease))
    loops += map(asyncio.create_task, service.surges.loops(lease))
    loops += map(asyncio.create_task, service.counting.loops(lease))
    loops.append(asyncio.create_task(service.plan_sources.schedule.run()))
    if service.stores.nudges is not None:
        loops.append(asyncio.create_task(watch(service.health, "redis", service.stores.ask)))
        loops.append(asyncio.create_task(service.stores.run()))
    try:
        async with dispatching(service):
            yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
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
