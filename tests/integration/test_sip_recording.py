"""A talk by SIP that a flow has recorded: on a real Asterisk, taken from its disk, sealed, opened again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.asterisk.ari import Ari
from adapters.asterisk.recordings import LIES_S, TakeRecordings
from adapters.asterisk.rest import rest_client
from adapters.asterisk.worker import SipWorker
from callrouter.dispatch.providers import Providers
from callrouter.events import Event, RecordingReported
from callrouter.recordings.service import Recordings
from callrouter.recordings.tables import metadata
from infra.clock import SystemClock
from infra.health import Health
from infra.sql import connect_database
from ivr.flow import Flow
from tests.integration.conftest_asterisk import (  # noqa: F401  two of them are fixtures
    Line,
    fresh_context,
    line_of_a_test,
    session_line,
    until,
)
from tests.service import PROMPTS, CallService, a_provider, build_calls
from tests.sip.listening import within
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import SippCaller

pytestmark = pytest.mark.alone

HEARD, NOT_HEARD = 0.4, 0.2
NORTH = Providers((a_provider("north", "111", tel="+442079460101"),))
TAPED = Flow.model_validate(
    {
        "flow": "taped",
        "title": "Every talk is recorded",
        "start": "hello",
        "nodes": {
            "hello": {"action": "say", "prompts": ["emergency_999", "recording_notice"], "barge_in": False,
                      "exits": {"next": "tape"}},
            "tape": {"action": "record", "exits": {"next": "nurse"}},
            "nurse": {"action": "queue", "services": ["111"], "hold_s": 900, "hold_prompts": ["hold_111"]},
        },
    }
)  # fmt: skip


class SkippingClock(SystemClock):
    """Real time, and what a test lets pass."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


@dataclass
class House:
    """A service whose callers come by SIP, and what takes its recordings."""

    line: Line
    service: CallService
    recordings: Recordings
    take: TakeRecordings
    clock: SkippingClock
    workers: AsyncExitStack
    health: Health
    calls_before: int = 0
    """That north has had."""
    untold: list[str] = field(default_factory=list)
    """While something stands in here the journal is away."""

    @property
    def folder(self) -> Path:
        """Where Asterisk keeps recordings."""
        return self.line.asterisk.folder / "var/spool/recording"

    @property
    def on_disk(self) -> list[Path]:
        return sorted(each for each in self.folder.rglob("*") if each.is_file()) if self.folder.is_dir() else []

    async def call(self) -> tuple[SippCaller, RtpEnd]:
        """Somebody who talks to 111, and what they hear."""
        caller, ear = self.line.call()
        ear.keeps_sound = True
        await asyncio.to_thread(caller.wait_answered)
        await asyncio.to_thread(self.line.providers["north"].wait_called, 20.0, self.calls_before + 1)
        return caller, ear

    async def recorded(self, seconds: float) -> int:
        """The octets on disk, as soon as so much more of the talk is there."""
        more = 8_000 * seconds + sum(each.stat().st_size for each in self.on_disk)
        await until(lambda: sum(each.stat().st_size for each in self.on_disk) >= more)
        return sum(each.stat().st_size for each in self.on_disk)

    async def hang_up(self, caller: SippCaller) -> str:
        """The reference of the call; nobody is on the line any more."""
        caller.hang_up()
        await until(lambda: "0 active channels" in self.line.asterisk.cli("core show channels"))
        (call_ref,) = set(await self.service.everything())
        return call_ref

    async def told_of(self, call_ref: str) -> list[str]:
        """The kinds of a call's events, as soon as its worker has told the end: it hears of it after Asterisk has."""
        async with asyncio.timeout(20):
            while "ended" not in (kinds := [e.kind for e in await self.service.events(call_ref)]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return kinds

    async def reported(self, call_ref: str) -> list[Event]:
        return await self.service.events(call_ref, "recording_reported")

    async def note(self, call_ref: str, event: Event) -> bool:
        if self.untold:
            raise ConnectionError(self.untold.pop())
        return await self.service.calls.note(call_ref, event)


@asynccontextmanager
async def taped(line: Line, folder: Path) -> AsyncIterator[House]:
    """111 is north's, every talk is recorded, and nothing lies on Asterisk's disk from before."""
    service = await build_calls(folder, providers=NORTH, flow=TAPED)
    database = connect_database(f"sqlite:///{folder / 'calls.db'}")
    await database.write(metadata.create_all)
    login, clock = (line.asterisk.settings.ari_user, line.asterisk.settings.ari_password), SkippingClock()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(service.close)
        stack.push_async_callback(database.close)
        workers = await stack.enter_async_context(AsyncExitStack())
        ari = Ari(line.asterisk.ari_url, "callrouter-taped", *login)
        audio = dict.fromkeys(PROMPTS, "sound:beep")
        await workers.enter_async_context(SipWorker(ari, service.calls, clock, audio, edge="east"))
        await ari.wait_connected()
        client = await stack.enter_async_context(rest_client(line.asterisk.ari_url, *login))
        recordings = Recordings(database, service.keys, clock, lambda ref, event: house.note(ref, event))
        health = Health(clock)
        take = TakeRecordings(client, recordings, clock, health, "east")
        house = House(line, service, recordings, take, clock, workers, health)
        house.calls_before = len(line.providers["north"].received("INVITE"))
        for each in house.on_disk:
            each.unlink()
        yield house


async def test_a_recorded_talk_is_kept_sealed_with_its_call_and_gone_from_asterisk(line: Line, tmp_path: Path) -> None:
    async with taped(line, tmp_path) as house:
        caller, ear = await house.call()
        await house.recorded(2.0)
        await house.take.look()
        await house.take.look()
        assert len(house.on_disk) == 1, "while they talk it stays where it is"
        call_ref = await house.hang_up(caller)
        (file,) = house.on_disk
        sound = file.read_bytes()
        await house.take.look()
        assert house.on_disk, "Asterisk may be writing its last words"
        await house.take.look()
        assert house.on_disk == []
        (kept,) = await house.recordings.of_call(call_ref)
        assert kept.sound == sound
        (told,) = await house.reported(call_ref)
        assert told == RecordingReported(
            kept_by="callrouter", recording=kept.id, outcome="completed", seconds=len(sound) // 8_000
        )
        assert len(sound) > 16_000
        assert not lies_in(tmp_path, sound[8_000:8_100]), "sealed"
        # the provider's voice and the caller's, as loud as each other: each is about 0.7 of the whole
        assert within(kept.sound, ear.sound) > HEARD
        assert within(kept.sound, ear.sound[::-1]) < NOT_HEARD


def lies_in(folder: Path, octets: bytes) -> bool:
    return any(octets in each.read_bytes() for each in folder.iterdir())


async def test_both_sides_are_in_it_and_nothing_from_before_the_answer(line: Line, tmp_path: Path) -> None:
    provider = line.ears["north"]
    async with taped(line, tmp_path) as house:
        provider.keeps_sound, before = True, len(provider.sound)
        caller, _ = await house.call()
        await house.recorded(2.0)
        await house.hang_up(caller)
        provider.keeps_sound = False
        (file,) = house.on_disk
        said = provider.sound[before:]
        assert within(file.read_bytes(), said) > HEARD
        assert within(file.read_bytes(), said[::-1]) < NOT_HEARD
        assert len(file.read_bytes()) < len(said) + 8_000


async def test_it_goes_on_when_every_worker_dies_in_the_talk(line: Line, tmp_path: Path) -> None:
    async with taped(line, tmp_path) as house:
        caller, _ = await house.call()
        at_death = await house.recorded(0.5)
        await house.workers.aclose()
        assert await house.recorded(1.0) >= at_death + 8_000
        caller.hang_up()
        await until(lambda: "0 active channels" in line.asterisk.cli("core show channels"))
        (call_ref,) = set(await house.service.everything())
        await house.take.look()
        await house.take.look()
        (kept,) = await house.recordings.of_call(call_ref)
        assert len(kept.sound) >= at_death + 8_000
        assert house.on_disk == []


async def test_whoever_dies_before_the_journal_knows_leaves_it_to_be_taken_again(line: Line, tmp_path: Path) -> None:
    async with taped(line, tmp_path) as house:
        caller, _ = await house.call()
        await house.recorded(0.5)
        call_ref = await house.hang_up(caller)
        sound = house.on_disk[0].read_bytes()
        house.untold.append("away")
        await house.take.look()
        await house.take.look()
        assert (len(house.on_disk), await house.reported(call_ref)) == (1, [])
        await house.take.look()
        assert house.on_disk == []
        assert [each.sound for each in await house.recordings.of_call(call_ref)] == [sound]
        assert len(await house.reported(call_ref)) == 1


async def test_where_it_cannot_be_written_they_talk_all_the_same(line: Line, tmp_path: Path) -> None:
    async with taped(line, tmp_path) as house:
        house.folder.mkdir(parents=True, exist_ok=True)
        house.folder.rmdir()
        house.folder.touch()  # a file where the folder should be
        try:
            caller, ear = await house.call()
            assert await asyncio.to_thread(ear.wait_heard, 100)
            call_ref = await house.hang_up(caller)
        finally:
            house.folder.unlink()
        assert (await house.told_of(call_ref))[-2:] == ["talk_ended", "ended"]


async def test_a_recording_of_no_call_of_ours_stays_and_is_a_failing_part(line: Line, tmp_path: Path) -> None:
    async with taped(line, tmp_path) as house:
        house.folder.mkdir(parents=True, exist_ok=True)
        orphan = house.folder / f"{fresh_context()}-{fresh_context()}-1.alaw"
        another = house.folder / "somebody-elses.alaw"
        for each in (orphan, another):
            each.write_bytes(b"\xd5" * 8_000)
        for _ in range(3):
            await house.take.look()
        assert house.health.works("recordings:east"), "its call may be on its way to the journal"
        house.clock.ahead_s = LIES_S
        await house.take.look()
        assert not house.health.works("recordings:east")
        assert house.on_disk == sorted((orphan, another))
        orphan.unlink()
        await house.take.look()
        assert house.health.works("recordings:east"), "others are nothing of ours"
        another.unlink()


async def test_with_a_dialplan_of_an_older_release_they_talk_unrecorded(line: Line, tmp_path: Path) -> None:
    """As a roll-back by `dialplan reload` leaves it: contexts of the newer one are gone, its globals are not."""
    line.asterisk.cli("dialplan remove context recorded")
    try:
        async with taped(line, tmp_path) as house:
            with capture_logs() as logs:
                caller, ear = await house.call()
                assert await asyncio.to_thread(ear.wait_heard, 100)
            assert "talk_not_recorded" in [each["event"] for each in logs]
            assert house.on_disk == []
            call_ref = await house.hang_up(caller)
            assert (await house.told_of(call_ref))[-2:] == ["talk_ended", "ended"]
    finally:
        line.asterisk.cli("dialplan reload")
