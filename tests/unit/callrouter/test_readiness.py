"""``/live`` and ``/ready``: which states refuse new calls, and what an operator reads."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from callrouter.readiness import Readiness, health_router
from infra.health import Health
from tests.hand_clock import HandClock


class World:
    """A started process with parts as a test wants them."""

    def __init__(self, *, twilio: bool = True) -> None:
        self.clock = HandClock()
        self.health = Health(self.clock)
        self.lag_s = 0.0
        self.readiness = Readiness(self.health, serves_twilio=twilio, journal_lag_s=lambda: self.lag_s)
        self.app = FastAPI()
        self.app.include_router(health_router(self.readiness))

    async def get(self, path: str = "/ready") -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path)


async def test_a_process_that_has_not_started_takes_no_calls() -> None:
    answer = await World().get()
    assert (answer.status_code, answer.json()["state"]) == (503, "starting")


async def test_from_the_moment_of_draining_it_takes_no_calls_and_lives() -> None:
    world = World()
    world.readiness.start()
    assert (await world.get()).status_code == 200
    world.readiness.drain()
    answer = await world.get()
    assert (answer.status_code, answer.json()["ready"], answer.json()["state"]) == (503, False, "draining")
    assert (await world.get("/live")).status_code == 200


@pytest.mark.parametrize("part", ["sql", "redis", "plans"])
async def test_a_failing_part_is_shown_and_calls_still_come(part: str) -> None:
    world = World()
    world.readiness.start()
    world.health.failed(part, "timed_out")
    world.lag_s = 12.34
    answer = await world.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "state": "degraded",
        "journal_lag_s": 12.3,
        "dependencies": [{"name": part, "state": "failed", "since": world.clock.now().isoformat(), "why": "timed_out"}],
    }


@pytest.mark.parametrize(
    ("twilio", "asterisks", "status"),
    [
        (True, {}, 200),
        (True, {"asterisk": False}, 200),
        (False, {"asterisk": True}, 200),
        (False, {"asterisk": False}, 503),
        (False, {"asterisk:one": False, "asterisk:two": True}, 200),
        (False, {"asterisk:one": False, "asterisk:two": False}, 503),
        (False, {}, 503),
    ],
)
async def test_a_worker_that_no_network_can_reach_takes_no_calls(
    twilio: bool, asterisks: dict[str, bool], status: int
) -> None:
    world = World(twilio=twilio)
    world.readiness.start()
    for name, works in asterisks.items():
        if works:
            world.health.ok(name)
        else:
            world.health.failed(name, "not_connected")
    assert (await world.get()).status_code == status


@pytest.mark.parametrize("path", ["/live", "/ready", "/health/live", "/health/ready"])
async def test_the_older_names_stay(path: str) -> None:
    world = World()
    world.readiness.start()
    assert (await world.get(path)).status_code == 200
