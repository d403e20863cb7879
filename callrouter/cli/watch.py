"""``callrouter watch``: looks at every Asterisk from outside, and after calls that nobody moves."""

from __future__ import annotations

import asyncio
import signal

import typer

from callrouter.edges import edges
from callrouter.errors import ConfigurationError
from callrouter.logs import set_up_logs
from callrouter.settings import load_settings
from callrouter.sip import watching
from callrouter.wiring import build


def add(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(watch)


def watch() -> None:
    """Write down answers and ends that no worker saw, and bring on callers whose worker is stuck. Ctrl-C ends it.

    Run one or two beside the workers: one at a time does the work. Without Redis the service does it itself.
    """
    set_up_logs()
    asyncio.run(_watch())


async def _watch() -> None:
    settings = load_settings()
    if settings.redis_url is None:
        raise ConfigurationError("CALLROUTER_REDIS_URL: without it `callrouter serve` watches over its own calls")
    service = build(settings)
    ended = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    settling = asyncio.gather(service.stores.run(), service.publishing.follow(service.health))
    try:
        async with watching(service):
            typer.echo(f"watching {', '.join(each.name for each in edges(settings)) or 'overdue calls'}")
            await ended.wait()
    finally:
        settling.cancel()
        await asyncio.gather(settling, return_exceptions=True)
        await service.calls.close()
        await service.stores.close()
        await service.database.close()
