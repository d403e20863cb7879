"""The whole service inside a command: for the demo, the lab and the terminal phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from callrouter.app import app_of
from callrouter.cli.common import prepare_database
from callrouter.settings import Settings
from callrouter.stopping import listen
from callrouter.wiring import Service, build


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Service]:
    """Serve under the settings' address for the length of the block; ends cleanly, the journal written."""
    bound = listen(settings.host, settings.port, "CALLROUTER_PORT")
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
