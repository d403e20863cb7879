"""``callrouter auditor``: the process that finds out whether alerts arrive."""

from __future__ import annotations

import asyncio
import signal

import typer

from callrouter.alerting.auditing import Auditing, open_auditing
from callrouter.errors import ConfigurationError
from callrouter.logs import set_up_logs
from callrouter.settings import load_settings
from callrouter.stopping import listen, server_of
from infra.clock import SystemClock

_LAST_PORT = 65535


def add(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(auditor)


def auditor() -> None:
    """Call the service each minute, wait for the alert of that, and tell people when none comes. Ctrl-C ends it.

    Run one, best on another machine than the workers. It needs nothing of theirs but the settings.
    """
    set_up_logs()
    settings = load_settings()
    host, _, port = settings.auditor_listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise ConfigurationError(f"CALLROUTER_AUDITOR_LISTEN: must be host:port, the port at most {_LAST_PORT}")
    asyncio.run(_audit(open_auditing(settings, SystemClock()), host, int(port)))


async def _audit(auditing: Auditing, host: str, port: int) -> None:
    bound = listen(host, port, "CALLROUTER_AUDITOR_LISTEN")
    server = server_of(auditing.app, lifespan="off")
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, server.handle_exit, each, None)
    probing = asyncio.create_task(auditing.auditor.run())
    typer.echo("auditing")
    try:
        await server.serve([bound])
    finally:
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        await auditing.auditor.hang_up()
        await auditing.line.client.aclose()
