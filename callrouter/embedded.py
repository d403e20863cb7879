"""The whole service inside a command: for the demo, the lab and the terminal phone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from callrouter.app import app_of
from callrouter.cli.common import prepare_database
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from callrouter.wiring import Service, build


def listen(settings: Settings) -> socket.socket:
    """The bound socket of the settings' address; raises :class:`ConfigurationError` when it is taken."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        where = f"{settings.host}:{settings.port}"
        raise ConfigurationError(
            f"{where} cannot be used ({error.strerror}): set CALLROUTER_PORT to another"
        ) from error
    return bound


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Service]:
    """Serve under the settings' address for the length of the block; ends cleanly, the journal written."""
    bound = listen(settings)
    service = build(settings)
    await prepare_database(service.database, settings)
    config = uvicorn.Config(
        app_of(service), access_log=False, log_config=None, lifespan="on", timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([bound]))  # serve() would take Ctrl-C from the command
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.01)
        yield service
    finally:
        server.should_exit = True
        await task
