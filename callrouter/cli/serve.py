"""``callrouter serve`` and ``callrouter settings``: running the service, and what it can be told."""

from __future__ import annotations

import asyncio
import time

import structlog
import typer

from callrouter.app import create_app
from callrouter.cli.common import open_database
from callrouter.errors import DatabaseSilent
from callrouter.logs import set_up_logs
from callrouter.settings import PREFIX, Settings, load_settings
from callrouter.stopping import Traffic, listen, serve_until_told, server_of
from infra import garbage

log = structlog.get_logger()


def add(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(serve)
    app.command("settings")(show_settings)


def serve() -> None:
    """Run the service: webhooks, console, alerts. SIGTERM or Ctrl-C ends it cleanly, within 25 seconds."""
    set_up_logs()
    settings = load_settings()
    asyncio.run(_prepare(settings))
    bound = listen(settings.host, settings.port, "CALLROUTER_PORT")
    app = create_app(settings)
    traffic = Traffic(app, prefix="/twilio", monotonic=time.monotonic)
    server = server_of(traffic)
    garbage.seldom()
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(serve_until_told(server, bound, app.state.readiness, lambda: traffic.is_busy))


async def _prepare(settings: Settings) -> None:
    try:
        async with open_database(settings):
            pass
    except DatabaseSilent as error:
        if not settings.is_production:
            raise
        log.error("database_not_checked", error=str(error))  # callers come first: calls go on without it


def show_settings() -> None:
    """Print every setting: its name, its default and what it is for."""
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f" [{field.default}]"
        typer.echo(f"{PREFIX}{name.upper()}{default}\n    {field.description}")
