"""The web application: webhooks in, pages out, and the loops behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import APIRouter, FastAPI

from adapters.asterisk.worker import SipWorker
from adapters.twilio.routes import twilio_router
from adapters.twilio.settings import TwilioSettings
from callrouter.alerting.bounces import bounce_routes
from callrouter.alerting.desk import AlertDesk
from callrouter.alerting.voice_calls import voice_routes
from callrouter.call_backs.routes import call_backs_router
from callrouter.figures.wallboard import figures_of
from callrouter.identity import identity_router
from callrouter.keys import session_secret
from callrouter.messages.routes import messages_router
from callrouter.plans.crew import Crew, open_crew
from callrouter.plans.crew_routes import crew_router
from callrouter.publishing.hearing import Hearing
from callrouter.publishing.routes import flows_router
from callrouter.readiness import Readiness, health_router
from callrouter.repeat.own_calls import came_to
from callrouter.repeat.routes import encounters_router, read_sender_keys
from callrouter.running import readiness_of, running
from callrouter.settings import Settings
from callrouter.sign_in import openid_of
from callrouter.sip import sip_workers, telling_who_is_connected, watching
from callrouter.texting import receipts_of
from callrouter.tokens import twilio_tokens
from callrouter.welfare.routes import welfare_router
from callrouter.wiring import Service, build
from console.api import asker
from console.routes import Flows, console_router, mount_static
from console.session import Sessions
from console.web import Web, add_not_found
from infra.voices import has_voice, speak


def create_app(settings: Settings) -> FastAPI:
    """The application of these settings; raises :class:`ConfigurationError` if they are not usable."""
    service = build(settings)
    return app_of(service)


def app_of(service: Service) -> FastAPI:
    """The application around a service that is put together already."""
    readiness = readiness_of(service)
    lifespan = _lifespan(service, readiness, sip_workers(service))
    app = FastAPI(title="callrouter", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = service
    app.state.readiness = readiness
    crew = open_crew(
        service.settings, service.database, service.keys, service.clock, service.texting.outbox, service.journal,
        service.calls,
    )  # fmt: skip
    sessions = _sessions(service)
    for router in (*_for_people(service, crew, sessions), *_for_machines(service, crew), health_router(readiness)):
        app.include_router(router)
    mount_static(app)
    add_not_found(app, Web(sessions))
    return app


def _lifespan(
    service: Service, readiness: Readiness, workers: Sequence[SipWorker]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(running(service))
            if service.stores.nudges is None:
                await stack.enter_async_context(watching(service))  # else a process of its own does it
            if workers:
                await stack.enter_async_context(telling_who_is_connected(service))
            await stack.enter_async_context(_all_of(workers))
            for worker in workers:
                readiness.on_drain(worker.stop_claiming)
            readiness.start()
            yield
            readiness.drain()

    return lifespan


def _sessions(service: Service) -> Sessions:
    return Sessions(
        session_secret(service.settings),
        clock=service.clock,
        production=service.settings.is_production,
        development_sign_in=service.settings.sign_in_is_open,
    )


def _for_people(service: Service, crew: Crew | None, sessions: Sessions) -> list[APIRouter]:
    """The pages, and the interfaces for whoever is signed in to them."""
    settings = service.settings
    pages = console_router(
        figures=figures_of(service),
        pages=service.desk,
        sessions=sessions,
        clock=service.clock,
        messages=service.messaging.service,
        flows=Flows(service.publishing, Hearing(speak, has_voice, settings.prompts_audio_dir), service.replays),
        plans=service.plan_access,
        welfare=service.after_calls.welfare,
        call_backs=service.after_calls.call_backs.all,
        surges=service.surges.desk,
        alerts=AlertDesk(service.alerts, service.clock),
        crew=crew,
        earlier=service.after_calls.earlier(service.calls),
        open_wallboard=settings.open_wallboard,
        tells_small_counts=settings.tells_small_counts,
        openid=openid_of(settings, session_secret(settings), sessions, service.clock),
    )
    who = asker(sessions)
    return [
        pages,
        flows_router(service.publishing, service.replay, who),
        welfare_router(service.after_calls.welfare, who),
        call_backs_router(service.after_calls.call_backs.all, who),
        messages_router(service.messaging.service, who, service.clock),
    ]


def _for_machines(service: Service, crew: Crew | None) -> list[APIRouter]:
    """Where networks, providers and senders of records post; each shows in its own way who it is."""
    settings = service.settings
    routers = [
        twilio_router(
            service.calls,
            _twilio(service),
            keys=service.keys,
            providers=service.providers,
            prompts=service.prompts,
            clock=service.clock,
            turns=service.turns,
        ),
        _encounters(service),
        receipts_of(settings, service.texting, service.channels.text_receipt),
        voice_routes(settings, service.channels.voice),
        bounce_routes(settings, service.database, service.clock),
        service.plan_sources.router,
        identity_router(service.keys),
    ]
    if crew is not None and settings.crew_feed_key is not None:
        routers.append(crew_router(crew, settings.crew_feed_key.get_secret_value()))
    return routers


@asynccontextmanager
async def _all_of(workers: Sequence[SipWorker]) -> AsyncIterator[None]:
    """Every worker, from start to end; they hand their callers over side by side, not one Asterisk after another."""
    for worker in workers:
        await worker.__aenter__()
    try:
        yield
    finally:
        await asyncio.gather(*(worker.__aexit__() for worker in workers), return_exceptions=True)


def _encounters(service: Service) -> APIRouter:
    keys = service.settings.encounter_keys
    senders = read_sender_keys(keys.get_secret_value() if keys else "")
    asked = came_to(service.journal, {each.id: each.ods for each in service.providers})
    return encounters_router(service.after_calls.repeats, service.clock, senders, asked)


def _twilio(service: Service) -> TwilioSettings:
    settings = service.settings
    return TwilioSettings(
        public_url=settings.address,
        auth_tokens=twilio_tokens(settings),
        fallback_number=settings.fallback_number,
        production=settings.is_production,
    )
