"""The web application: webhooks in, pages out, and the loops behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from adapters.twilio.routes import twilio_router
from adapters.twilio.settings import TwilioSettings
from callrouter.settings import Settings
from callrouter.wiring import Service, build, running, session_secret, sip_worker, twilio_tokens
from console.routes import console_router, mount_static
from console.session import Sessions


def create_app(settings: Settings) -> FastAPI:
    """The application of these settings; raises :class:`ConfigurationError` if they are not usable."""
    service = build(settings)
    return app_of(service)


def app_of(service: Service) -> FastAPI:
    """The application around a service that is put together already."""
    settings = service.settings

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(service), sip_worker(service) or nullcontext():
            app.state.ready = True
            yield
            app.state.ready = False

    app = FastAPI(title="callrouter", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = service
    app.state.ready = False
    sessions = Sessions(
        session_secret(settings),
        clock=service.clock,
        production=settings.is_production,
        development_sign_in=settings.sign_in_is_open,
    )
    app.include_router(
        console_router(
            figures=service.board,
            pages=service.desk,
            sessions=sessions,
            clock=service.clock,
            open_wallboard=settings.open_wallboard,
        )
    )
    mount_static(app)
    app.include_router(
        twilio_router(
            service.calls,
            _twilio(service),
            keys=service.keys,
            providers=service.providers,
            prompts=service.prompts,
            clock=service.clock,
        )
    )
    _add_health(app, service)
    return app


def _twilio(service: Service) -> TwilioSettings:
    settings = service.settings
    return TwilioSettings(
        public_url=settings.address,
        auth_tokens=twilio_tokens(settings),
        fallback_number=settings.fallback_number,
        production=settings.is_production,
    )


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        """New calls may be sent here."""
        try:
            async with service.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
            database = "ok"
        except SQLAlchemyError:
            database = "failed"  # calls go on without it; operators must know
        status = 200 if app.state.ready else 503
        return JSONResponse({"ready": bool(app.state.ready), "database": database}, status)
