"""``callrouter serve`` and ``callrouter settings``: running the service, and what it can be told."""

from __future__ import annotations

import asyncio

import typer
import uvicorn

from callrouter.app import create_app
from callrouter.cli.common import open_database
from callrouter.logs import set_up_logs
from callrouter.settings import PREFIX, Settings, load_settings


def add(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(serve)
    app.command("settings")(show_settings)


def serve() -> None:
    """Run the service: webhooks, console, alerts. Ctrl-C ends it cleanly."""
    set_up_logs()
    settings = load_settings()
    asyncio.run(_prepare(settings))
    config = uvicorn.Config(
        create_app(settings), host=settings.host, port=settings.port, access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run()


async def _prepare(settings: Settings) -> None:
    async with open_database(settings):
        pass


def show_settings() -> None:
    """Print every setting: its name, its default and what it is for."""
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f" [{field.default}]"
        typer.echo(f"{PREFIX}{name.upper()}{default}\n    {field.description}")
