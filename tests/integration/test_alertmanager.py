"""Alerts in Debian's own Alertmanager: its API shows them, its receiver is told; and the same against a hand clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from adapters.notify.alertmanager import Alertmanager
from alerts.model import AlertState, Recipient, Rule
from infra.clock import Clock, SystemClock
from infra.health import Health
from tests.alertmanager import AlertmanagerServer
from tests.hand_clock import NOON, HandClock
from tests.missing import or_skip

RULE = Rule(
    name="longest-wait", title="Callers wait too long", metric="longest_wait_s", scope="provider:kings",
    threshold=180, clear=120, for_s=30, severity="critical", usually_helps="More handlers.", source="a test",
    link="https://calls.example/wallboard", who=(Recipient("Ann Example", "email", "ann@example.nhs.invalid"),),
)  # fmt: skip
PART = replace(RULE, name="part-down", metric="dependency_down_s", scope="total", severity="warning")
TASK = replace(RULE, name="welfare", metric="welfare_task", scope="total")


class House:
    """Alerts in states that the test sets."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.health = Health(clock)
        self.kept: dict[str, AlertState] = {}
        self.bodies: list[Any] = []
        self.status = 200

    async def states(self, told_since: datetime | None = None) -> dict[str, AlertState]:
        return self.kept

    def be(self, alert: str, phase: Any, since: datetime | None = None) -> None:
        self.kept[alert] = AlertState(rule=alert, phase=phase, since=since or self.clock.now())

    def alertmanager(self, url: str = "") -> Alertmanager:
        transport = None if url else httpx.MockTransport(self._took)
        return Alertmanager(
            url or "http://alertmanager.invalid", [RULE, PART, TASK], self, self.clock, self.health,
            instance="127.0.0.1:8111", transport=transport,
        )  # fmt: skip

    def _took(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        return httpx.Response(self.status)


@pytest.fixture
async def house() -> AsyncIterator[tuple[House, Alertmanager, HandClock]]:
    clock = HandClock()
    house = House(clock)
    alertmanager = house.alertmanager()
    await alertmanager.step(0)  # it begins by saying what fires: nothing
    house.bodies.clear()
    yield house, alertmanager, clock
    await alertmanager.aclose()


@pytest.fixture(scope="module")
def server() -> Iterator[AlertmanagerServer]:
    with or_skip(), AlertmanagerServer() as server:
        yield server


async def test_debians_alertmanager_shows_it_tells_of_it_and_of_its_end(server: AlertmanagerServer) -> None:
    house = House(SystemClock())
    async with aclosing(house.alertmanager(server.url)) as alertmanager:
        await told_by_the_real_one(house, alertmanager, server)


async def told_by_the_real_one(house: House, alertmanager: Alertmanager, server: AlertmanagerServer) -> None:
    house.be("longest-wait", "firing", datetime.now(UTC) - timedelta(seconds=31))
    await alertmanager.step(0)
    (shown,) = server.alerts()
    assert shown["labels"] == {
        "alertname": "longest-wait", "severity": "critical", "scope": "provider:kings", "service": "callrouter",
    }  # fmt: skip
    assert shown["annotations"]["summary"] == "Callers wait too long"
    assert shown["generatorURL"] == "https://calls.example/wallboard"
    server.hook.wait("firing", "longest-wait")
    house.be("longest-wait", "resolved")
    await alertmanager.step(0)
    assert server.alerts() == []
    server.hook.wait("resolved", "longest-wait")
    assert "Ann Example" not in json.dumps(server.hook.told)
    assert house.health.works(Alertmanager.PART)


async def test_only_what_fires_is_told_and_acknowledging_resolves_nothing(
    house: tuple[House, Alertmanager, HandClock],
) -> None:
    world, alertmanager, _ = house
    world.be("longest-wait", "pending")
    assert await alertmanager.step(0) == 0
    world.be("longest-wait", "firing")
    assert await alertmanager.step(0) == 1
    world.be("longest-wait", "acknowledged")
    assert await alertmanager.step(0) == 0
    world.be("longest-wait", "resolved")
    assert await alertmanager.step(0) == 1
    (fired,), (ended,) = world.bodies
    assert (fired["startsAt"], fired["endsAt"]) == (NOON.isoformat(), (NOON + timedelta(minutes=5)).isoformat())
    assert ended["labels"] == fired["labels"]
    assert ended["endsAt"] == NOON.isoformat()


async def test_what_goes_on_firing_is_said_again_each_minute(house: tuple[House, Alertmanager, HandClock]) -> None:
    world, alertmanager, clock = house
    world.be("longest-wait", "firing")
    for _ in range(181):
        await alertmanager.step(0)
        clock.move(1)
    assert len(world.bodies) == 4
    assert [each["endsAt"] for (each,) in world.bodies] == [
        (NOON + timedelta(minutes=5 + n)).isoformat() for n in range(4)
    ]


async def test_what_was_not_taken_is_said_again_and_the_part_fails_meanwhile(
    house: tuple[House, Alertmanager, HandClock],
) -> None:
    world, alertmanager, clock = house
    world.be("longest-wait", "firing")
    await alertmanager.step(0)
    world.be("longest-wait", "resolved")
    world.status = 503
    for _ in range(3):
        with pytest.raises(httpx.HTTPStatusError):
            await alertmanager.step(0)
        clock.move(5)
    assert not world.health.works(Alertmanager.PART)
    world.status = 200
    await alertmanager.step(0)
    assert world.bodies[-1][0]["endsAt"] == NOON.isoformat()  # when it ended, not when that could be said
    assert world.health.works(Alertmanager.PART)


async def test_what_fires_again_before_its_end_could_be_said_has_not_ended(
    house: tuple[House, Alertmanager, HandClock],
) -> None:
    world, alertmanager, clock = house
    world.be("longest-wait", "firing")
    await alertmanager.step(0)
    world.be("longest-wait", "resolved")
    world.status = 503
    with pytest.raises(httpx.HTTPStatusError):
        await alertmanager.step(0)
    world.be("longest-wait", "firing")
    world.status = 200
    clock.move(61)
    assert await alertmanager.step(0) == 1
    assert world.bodies[-1][0]["endsAt"] > clock.now().isoformat()


async def test_what_each_process_sees_bears_its_name_and_what_happens_once_ends_by_itself(
    house: tuple[House, Alertmanager, HandClock],
) -> None:
    world, alertmanager, clock = house
    world.be("part-down:redis", "firing")
    world.be("welfare:4f2a", "told")
    world.be("a-rule-that-was-removed", "firing")
    assert await alertmanager.step(0) == 2
    part, task = sorted(world.bodies[0], key=lambda each: each["labels"]["alertname"])
    assert (part["labels"]["scope"], part["labels"]["instance"]) == ("redis", "127.0.0.1:8111")
    assert (task["labels"]["scope"], "instance" in task["labels"]) == ("4f2a", False)
    clock.move(3600)
    await alertmanager.step(0)
    ended = {each["labels"]["alertname"]: each["endsAt"] > clock.now().isoformat() for each in world.bodies[-1]}
    assert ended == {"part-down": True, "welfare": False}
