"""Two services on one Redis, wired as in production: one house of providers for both."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import SecretStr

from callrouter.ports import Offer, Waiting
from callrouter.running import dispatching
from callrouter.settings import Settings
from callrouter.wiring import Service, build
from ivr.model import Band
from tests.missing import or_skip
from tests.redis_server import RedisServer

HOUSE = """providers:
  - {id: first-111, name: First, services: ["111"], tel: "+442079460101", lines: 1}
"""
EVERYTHING = ("clinician", "mental_health", "dental", "pharmacy", "frailty", "crisis", "ms_nurse", "palliative")


async def met(*services: Service) -> None:
    """Returns when each has spoken with Redis: the first words may take longer than a caller waits."""
    async with asyncio.timeout(30):
        while not all(each.health.works("shared_dispatch") for each in services):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


async def test_line_that_one_service_took_is_taken_for_the_other(tmp_path: Path) -> None:
    providers = tmp_path / "providers.yaml"
    others = "".join(
        f'  - {{id: {each.replace("_", "-")}, name: Other, services: [{each}], tel: "+442079460102"}}\n'
        for each in EVERYTHING
    )
    providers.write_text(HOUSE + others)
    with or_skip(), RedisServer() as server:
        settings = Settings(data_dir=tmp_path, providers_file=providers, redis_url=SecretStr(server.url))
        one, other = build(settings), build(settings)
        try:
            async with dispatching(one), dispatching(other):
                await met(one, other)
                now = one.clock.now()
                seeks = [
                    await each.dispatch.seek(f"call{n}", ("111",), Band.NORMAL, now, hold=True)
                    for n, each in enumerate((one, other))
                ]
        finally:
            for service in (one, other):
                await service.calls.close()
                await service.stores.close()
                await service.database.close()

    assert isinstance(seeks[0], Offer)
    assert isinstance(seeks[1], Waiting)
