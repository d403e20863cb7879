"""The one place where the parts are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from alerts.life.service import AlertService
from alerts.model import Parts
from callrouter.after_calls import AfterCalls, after_calls
from callrouter.alerting.channels import Channels, open_channels
from callrouter.alerting.probe import FlowsWithProbe, with_probe
from callrouter.alerting.watching import alert_rules, open_alerts
from callrouter.call_backs.in_force import call_backs_in_force
from callrouter.call_backs.promising import Promising
from callrouter.calls import Calls
from callrouter.desk import Desk
from callrouter.dispatch.providers import Providers, read_providers
from callrouter.door import open_door
from callrouter.figures.board import Board
from callrouter.figures.kpis import Counting, live_figures, open_counting
from callrouter.flows import load_prompts
from callrouter.journal import Journal, JournalWriter
from callrouter.keys import key_ring
from callrouter.messaging import Layered, Messaging, messaging
from callrouter.plans.access import PlanAccess, plan_access
from callrouter.plans.sources import PlanSources, open_plan_sources
from callrouter.ports import Dispatch
from callrouter.publishing.opening import open_publishing
from callrouter.publishing.published import Texts
from callrouter.publishing.service import Publishing
from callrouter.publishing.staged import StagedWatch
from callrouter.replay.kept import KeptReplays
from callrouter.replay.service import Replay
from callrouter.settings import Settings
from callrouter.stores import Stores, open_stores
from callrouter.surges.reading import Surges, open_surges
from callrouter.texting import Texting, open_texting
from callrouter.texts.in_force import texts_in_force
from careplans.service import CarePlans
from infra.clock import Clock, SystemClock
from infra.crypto import KeyRing
from infra.health import Health
from infra.sql import Database, connect_database
from infra.turns import Turns


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
    replays: KeptReplays
    texting: Texting
    surges: Surges
    counting: Counting
    turns: Turns


def build(settings: Settings) -> Service:
    """Put the service together; raises :class:`ConfigurationError` naming file, line and cause.

    Long, since it is the one place that knows every part: each has a line here.
    """
    settings.check_files()
    clock = SystemClock()
    health = Health(clock)
    keys = key_ring(settings)
    providers = read_providers(settings.providers_file)
    prompts = load_prompts(settings.prompts_file)
    settings.make_data_dir()
    database = connect_database(settings.database)
    rings_back = call_backs_in_force(settings)
    publishing, flows = open_publishing(
        settings, database, clock, providers.services, texts_in_force(settings), call_backs=rings_back
    )
    stores = open_stores(settings)
    stream = stores.stream
    journal = Journal(database, keys)
    rules = alert_rules(settings, providers)
    access = plan_access(
        settings, database, keys, clock, journal=journal, providers=providers, rules=rules, health=health
    )
    plans = CarePlans(database, keys, clock, access.trail)
    messages = messaging(settings, database, clock, rules=rules, services=providers.services, languages=flows.languages)
    after = after_calls(settings, database, keys, clock, stream, journal, providers=providers, rules=rules, plans=plans)
    reachable = with_probe(providers)
    calls, dispatch = open_door(
        settings,
        stores,
        reachable,
        FlowsWithProbe(flows, flows.name, settings.auditor_number),
        plans=after.plans,
        repeats=after.repeats,
        shared=after.shared,
        messages=messages.live,
        call_backs=Promising(after.call_backs.all, after.plans, after.repeats, after.shared, is_on=rings_back),
        keys=keys,
        clock=clock,
        health=health,
    )
    names = {each.id: each.name for each in providers}
    board = Board(live_figures(names), stream, journal, clock)
    writer = JournalWriter(stream, journal)
    counting = open_counting(database, providers, stream, journal, board, clock, health, keys=keys, shared=after.shared)
    channels = open_channels(settings, database, keys, clock)

    parts = partial(_parts, settings, clock, health, board, writer, counting, after)
    replay = Replay(journal, publishing)
    return Service(
        turns=Turns(),
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
        desk=Desk(journal, calls, access.on_call, access.calls, names, clock),
        plans=plans,
        plan_access=access,
        plan_sources=open_plan_sources(settings, database, keys, clock, health, stores.leases),
        health=health,
        messaging=messages,
        publishing=publishing,
        staged=StagedWatch(stream, journal, database, publishing, clock),
        replay=replay,
        replays=KeptReplays(replay, database, clock),
        texting=open_texting(settings, database, keys, clock, stream=stream, journal=journal, calls=calls),
        counting=counting,
        surges=open_surges(
            settings,
            database,
            keys,
            clock,
            stream,
            journal,
            rules=rules,
            messages=messages.service,
            contents=lambda: flows.snapshot.contents(),
            health=health,
        ),
    )


def _parts(
    settings: Settings,
    clock: Clock,
    health: Health,
    board: Board,
    writer: JournalWriter,
    counting: Counting,
    after: AfterCalls,
) -> Parts:
    """What this process itself knows of its parts, for alerts that must not need the database."""
    return Parts(
        health.failing_s(),
        writer.lag_s(clock.now()),
        f"{settings.host}:{settings.port}",
        board.without_probe_s() if settings.auditor_url else None,
        counting.check.differ,
        after.call_backs.late_s,
        counting.check.odd,
    )
