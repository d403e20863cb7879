"""SIGTERM to the real process: no new calls at once, those in progress are answered, gone in time, nothing lost."""

from __future__ import annotations

import asyncio
import base64
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from adapters.phone.line import Line, open_line
from callrouter.stopping import GONE_S, GRACE_S
from tests.postgres import Postgres, own_postgres
from tests.running import RunningService, free_port
from tests.wire import Wire

pytestmark = pytest.mark.alone

FASTER_S = GRACE_S + 10.0  # a busy machine included


class Running:
    """A service in a process of its own, and a line to call it by."""

    def __init__(self, service: RunningService, line: Line) -> None:
        self.service = service
        self.line = line
        self.form = {
            "AccountSid": f"AC{secrets.token_hex(16)}", "CallSid": f"CA{secrets.token_hex(16)}",
            "From": "+447700900123", "To": "+442079460000", "Direction": "inbound", "ApiVersion": "2010-04-01",
        }  # fmt: skip

    async def call(self) -> str:
        """A call up to the menu."""
        return await self.line.document(f"{self.service.url}/twilio/voice", {**self.form, "CallStatus": "ringing"})

    async def hang_up(self) -> int:
        form = {**self.form, "CallStatus": "completed"}
        return (await self.line.post(f"{self.service.url}/twilio/status", form)).status_code

    async def ready(self) -> httpx.Response:
        return await self.line.client.get("/ready")


@asynccontextmanager
async def running(folder: Path, **settings: str) -> AsyncIterator[Running]:
    service = RunningService(folder, settings)
    await asyncio.to_thread(service.__enter__)
    line = open_line(service.url, auth_token=(folder / "data/twilio-token").read_text().strip())
    try:
        yield Running(service, line)
    finally:
        await line.client.aclose()
        await asyncio.to_thread(service.stop)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with own_postgres() as server:
        yield server


async def test_without_calls_it_is_gone_at_once_with_status_0(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        began = time.monotonic()
        assert await asyncio.to_thread(world.service.stop) == 0
        assert time.monotonic() - began < FASTER_S
    assert '"grace_s": 0,' in world.service.log.read_text()


async def test_a_call_in_progress_is_answered_while_no_new_one_is_invited(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        assert "<Gather" in await world.call()
        assert (await world.ready()).status_code == 200
        world.service.signal(signal.SIGTERM)
        answer = await world.ready()
        while answer.status_code == 200:  # until the signal has arrived
            answer = await world.ready()
        assert answer.json()["state"] == "draining"
        assert await world.hang_up() == 204
        assert await asyncio.to_thread(world.service.wait) == 0
        listed = await asyncio.to_thread(world.service.run, "call", "list")
        events = await asyncio.to_thread(world.service.events, listed.stdout.split()[-1])
    assert [each["kind"] for each in events][-1] == "ended"


@pytest.mark.slow
async def test_a_second_signal_ends_the_grace(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.call()
        world.service.signal(signal.SIGTERM)
        while (await world.ready()).status_code == 200:
            pass
        world.service.signal(signal.SIGINT)
        assert await asyncio.to_thread(world.service.wait) == 0


@pytest.mark.slow
async def test_signals_that_come_again_and_again_change_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        while world.service.ended is None:
            world.service.signal(signal.SIGTERM)
            await asyncio.sleep(0.005)
        assert world.service.ended == 0


@pytest.mark.slow
async def test_a_watched_wallboard_does_not_hold_it_up(tmp_path: Path) -> None:
    async with (
        running(tmp_path, OPEN_WALLBOARD="true") as world,
        world.line.client.stream("GET", "/wallboard/events", timeout=60) as stream,
    ):
        lines = stream.aiter_lines()
        await anext(lines)
        world.service.signal(signal.SIGTERM)
        async for _ in lines:
            pass  # until the service has ended the stream
        assert await asyncio.to_thread(world.service.wait) == 0
    assert "Traceback" not in world.service.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["cut", "hold"])
async def test_a_database_that_is_gone_does_not_hold_it_up(postgres: Postgres, tmp_path: Path, fault: str) -> None:
    port = int(postgres.url.rpartition(":")[2].partition("/")[0])
    with Wire(port) as wire:
        url = postgres.url.replace(f":{port}/", f":{wire.port}/")
        async with running(tmp_path, DATABASE_URL=url) as world:
            await asyncio.to_thread(getattr(wire, fault))
            await world.call()
            began = time.monotonic()
            world.service.signal(signal.SIGTERM)
            assert await asyncio.to_thread(world.service.wait) == 0
            assert time.monotonic() - began < GONE_S + 1
    assert "journal_not_drained" in world.service.log.read_text()


def production(folder: Path, port: int) -> dict[str, str]:
    """What production asks for, with a database at this port."""
    return {
        "ENVIRONMENT": "production",
        "KEYS": base64.b64encode(secrets.token_bytes(64)).decode(),
        "AUDIT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "SESSION_SECRET": secrets.token_hex(32),
        "TWILIO_AUTH_TOKENS": secrets.token_hex(16),
        "FALLBACK_NUMBER": "+442079460111",
        "DATABASE_URL": f"postgresql://callrouter@127.0.0.1:{port}/postgres",
        "PUBLIC_URL": "https://callrouter.example.nhs.invalid",
    }


def test_without_its_database_a_service_in_production_starts_all_the_same(tmp_path: Path) -> None:
    with RunningService(tmp_path, production(tmp_path, free_port())) as service:
        report = httpx.get(f"{service.url}/ready", timeout=10).json()
        assert report["ready"]
        assert service.stop() == 0
    assert "database_not_checked" in service.log.read_text()


@pytest.mark.slow
def test_without_its_database_a_service_in_development_says_so_and_ends(tmp_path: Path) -> None:
    url = f"postgresql://callrouter@127.0.0.1:{free_port()}/postgres"
    service = RunningService(tmp_path, {"DATABASE_URL": url})
    with pytest.raises(AssertionError, match="the database does not answer"):
        service.__enter__()
