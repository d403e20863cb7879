"""Recordings that cannot be taken from Asterisk's disk: they stay there, and the service says so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from structlog.testing import capture_logs

from adapters.asterisk.recordings import LIES_S, LOOK_EVERY_S, TakeRecordings
from infra.crypto import SealError
from infra.health import Health
from tests.hand_clock import HandClock

CONTEXT, LINE = "c" * 32, "a" * 32
DAY_S = 86_400.0


class Spool:
    """An Asterisk with one recording and nobody on the line."""

    def __init__(self) -> None:
        self.names = [f"{CONTEXT}-{LINE}-1"]
        self.refuses = 0
        self.known = False
        self.error: Exception | None = None
        self.clock = HandClock()
        self.health = Health(self.clock)
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://asterisk")
        self.take = TakeRecordings(client, self, self.clock, self.health, "east:8088")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.refuses:
            return httpx.Response(self.refuses)
        if request.method == "DELETE":
            self.names.remove(request.url.path.rpartition("/")[2])
            return httpx.Response(204)
        stored = request.url.path == "/recordings/stored"
        return httpx.Response(200, json=[{"name": each} for each in self.names] if stored else [])

    async def keep(self, context: str, recording: str, sound: AsyncIterator[bytes]) -> bool:
        assert (context, recording) == (CONTEXT, f"{LINE}-1")
        if self.error is not None:
            raise self.error
        return self.known

    async def looks(self, seconds: float) -> None:
        """What happens in that time."""
        until = self.clock.passed + seconds
        while self.clock.passed < until:
            await self.take.look()
            self.clock.passed += LOOK_EVERY_S

    @property
    def says(self) -> list[tuple[str, str, str]]:
        return [(each.name, each.state, each.why) for each in self.health.parts()]


async def test_one_of_a_call_that_the_journal_does_not_know_is_never_deleted_but_a_failing_part() -> None:
    spool = Spool()
    await spool.looks(LIES_S)
    assert spool.says == [("recordings:east:8088", "ok", "")], "its call may be on its way to the journal"
    await spool.looks(2 * DAY_S)
    assert spool.says == [("recordings:east:8088", "failed", "CallUnknown")]
    assert len(spool.names) == 1, "the journal may be days behind"
    spool.known = True
    await spool.looks(2 * LOOK_EVERY_S)
    assert (spool.names, spool.says) == ([], [("recordings:east:8088", "ok", "")])


@pytest.mark.parametrize("error", [SealError("another key"), ConnectionError(), TimeoutError()])
async def test_what_keeps_one_from_being_taken_is_a_failing_part_and_logged_once_a_minute(error: Exception) -> None:
    spool = Spool()
    spool.error = error
    with capture_logs() as logs:
        await spool.looks(LIES_S + 3 * LOOK_EVERY_S)
    assert spool.says == [("recordings:east:8088", "failed", type(error).__name__)]
    assert [each["event"] for each in logs].count("recordings_not_taken") == 1, "all within a moment of real time"
    assert LINE not in str(logs)
    spool.take.lost()
    assert spool.says == [("recordings:east:8088", "ok", "")], "who looks now says how it is"


async def test_an_asterisk_that_does_not_tell_its_recordings_is_a_failing_part_at_once() -> None:
    spool = Spool()
    spool.refuses = 404
    with pytest.raises(httpx.HTTPStatusError):
        await spool.take.look()
    assert spool.says == [("recordings:east:8088", "failed", "http_404")]
