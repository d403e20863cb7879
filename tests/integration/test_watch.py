"""The watch on a real Asterisk: answers and ends that no worker saw are in the journal, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.asterisk.ami import Ami
from adapters.asterisk.ari import Ari
from adapters.asterisk.watch import AsteriskWatch
from adapters.asterisk.worker import SipWorker
from callrouter import events as ev
from callrouter.dispatch.providers import Providers
from infra.clock import SystemClock
from ivr.model import Band
from tests.integration.conftest_asterisk import Line, line_of_a_test, session_line, until  # noqa: F401  fixtures
from tests.service import PROMPTS, CallService, a_provider, build_calls
from tests.sip.sipp import SippCaller

pytestmark = pytest.mark.alone

ONE_ELEVEN = Providers((a_provider("north", "111", tel="+442079460101"),))
PAST_SETTLING = timedelta(seconds=10)  # nobody waits in a test for the moment that a living worker is given


class LaterClock(SystemClock):
    """A clock for the watch alone, by which every row has settled."""

    def now(self) -> datetime:
        return super().now() + PAST_SETTLING


@dataclass
class Watched:
    """A service and its watch."""

    service: CallService
    watch: AsteriskWatch
    line: Line
    trusted: bool = True

    async def stage(self, call_ref: str, stage: str) -> None:
        """Look until the caller is there."""
        await until_seen(self.watch, call_ref, lambda place: place == stage)

    async def events(self, call_ref: str) -> list[str]:
        return [each.kind for each in await self.service.events(call_ref)]

    async def closed(self, call_ref: str) -> list[ev.Event]:
        """All events of a call whose row is in AstDB, after a look."""
        await until(lambda: bool(self.line.ended(call_ref)))
        await self.watch.look()
        return await self.service.events(call_ref)

    def only_call(self) -> str:
        """The reference of the one caller on the line."""
        found: list[str] = []
        for name in self.line.asterisk.cli("core show channels concise").splitlines():
            if name.startswith("PJSIP/carrier"):
                shown = self.line.asterisk.cli(f"core show channel {name.split('!')[0]}")
                found += [row.partition("=")[2] for row in shown.splitlines() if row.startswith("CALL_REF=")]
        return found[0] if found else ""


async def until_seen(watch: AsteriskWatch, call_ref: str, true: Callable[[str], bool]) -> None:
    async with asyncio.timeout(20):
        await watch.look()
        while not true(watch.place(call_ref)):
            await asyncio.sleep(0.02)
            await watch.look()


@asynccontextmanager
async def watched(folder: Path, line: Line, *, trusted: bool = True) -> AsyncIterator[Watched]:
    """A watch of the test's Asterisk, which begins when all earlier rows are forgotten."""
    service = await build_calls(folder, providers=ONE_ELEVEN)
    asterisk = line.asterisk
    login = (asterisk.settings.ari_user, asterisk.settings.ari_password)
    asterisk.cli("database deltree ended")
    try:
        async with (
            Ari(asterisk.ari_url, "watch-test", *login, request_seconds=30.0) as ari,  # of one look all is expected
            Ami("127.0.0.1", asterisk.ports.ami, *login) as ami,
        ):
            await ari.wait_connected()
            watch = AsteriskWatch(
                "east", ari, ami, service.calls, service.dispatch, LaterClock(), trusted=lambda: trusted
            )
            yield Watched(service, watch, line)
    finally:
        await service.close()


@asynccontextmanager
async def worker(house: Watched) -> AsyncIterator[SipWorker]:
    """A real worker on the same door."""
    asterisk = house.line.asterisk
    ari = Ari(asterisk.ari_url, "callrouter-watched", asterisk.settings.ari_user, asterisk.settings.ari_password)
    audio = dict.fromkeys(PROMPTS, "sound:beep")
    async with SipWorker(ari, house.service.calls, SystemClock(), audio, edge="east") as one:
        await ari.wait_connected()
        yield one


async def in_a_talk(house: Watched) -> tuple[SippCaller, str]:
    """A caller whom no worker heard, and who talks to the default service."""
    caller, _ = house.line.call()
    caller.wait_answered()
    return caller, house.only_call()


async def test_a_call_that_nobody_carried_but_the_dialplan_is_written_down_whole(line: Line, tmp_path: Path) -> None:
    async with watched(tmp_path, line) as house:
        caller, call_ref = await in_a_talk(house)
        await house.stage(call_ref, "dialplan")
        assert await house.events(call_ref) == ["offered", "handed_back", "leg_answered"]
        offered = (await house.service.events(call_ref))[0]
        assert isinstance(offered, ev.Offered)
        assert offered.number == "+447700900123"
        caller.hang_up()
        events = await house.closed(call_ref)
        assert [each.kind for each in events][3:] == ["talk_ended", "ended"]
        ended = events[-1]
        assert isinstance(ended, ev.Ended)
        assert (ended.end_class, ended.by) == ("answered", "caller") or ended.end_class == "answer_unknown"
        assert line.ended(call_ref) == {}, "what is in the journal is forgotten in AstDB"


@pytest.mark.slow
async def test_looking_again_and_again_changes_nothing(line: Line, tmp_path: Path) -> None:
    async with watched(tmp_path, line) as house:
        caller, call_ref = await in_a_talk(house)
        for _ in range(3):
            await house.watch.look()
        caller.hang_up()
        before = await house.closed(call_ref)
        await house.watch.look()
        assert await house.service.events(call_ref) == before


async def test_a_call_that_began_and_ended_unseen_is_counted_without_its_number(line: Line, tmp_path: Path) -> None:
    async with watched(tmp_path, line) as house:
        caller, call_ref = await in_a_talk(house)
        caller.hang_up()
        events = await house.closed(call_ref)
        offered = events[0]
        assert isinstance(offered, ev.Offered)
        assert offered.number is None
        assert [each.kind for each in events] == ["offered", "handed_back", "leg_answered", "talk_ended", "ended"]


async def test_the_end_of_a_talk_whose_worker_died_is_journalled_once(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, line) as house:
        async with worker(house):
            caller, _ = line.call(keys_by_info=[(1.0, "1")])
            await asyncio.to_thread(caller.wait_answered)  # a worker that is held up here would claim nobody
            call_ref = house.only_call()
            await until_talking(house, call_ref)
            assert "handed_back" not in await house.events(call_ref)
        kept, in_use = await lines_of_another_watch(house, call_ref, monkeypatch)
        assert kept == [], "who only looks takes nobody over"
        assert in_use == {call_ref}, "but says whose line is in use"
        caller.hang_up()
        events = await house.closed(call_ref)
        kinds = [each.kind for each in events]
        assert kinds.count("leg_answered") == kinds.count("talk_ended") == kinds.count("ended") == 1
        assert kinds[-2:] == ["talk_ended", "ended"]


async def lines_of_another_watch(
    house: Watched, call_ref: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], set[str]]:
    """Whose lines a process takes over, and whose it says are in use, by looking for the first time."""
    kept: list[str] = []
    used: set[str] = set()

    async def keep(whose: str) -> None:
        kept.append(whose)

    async def in_use(whose: Collection[str]) -> None:
        used.update(whose)

    monkeypatch.setattr(house.service.dispatch, "keep", keep)
    monkeypatch.setattr(house.service.dispatch, "in_use", in_use)
    asterisk = house.line.asterisk
    async with Ari(
        asterisk.ari_url,
        "watch-other",
        asterisk.settings.ari_user,
        asterisk.settings.ari_password,
        request_seconds=30.0,
    ) as ari:
        await ari.wait_connected()
        other = AsteriskWatch("east", ari, None, house.service.calls, house.service.dispatch, SystemClock())
        await other.look()
        assert other.place(call_ref) == "dialplan"
    monkeypatch.undo()
    return kept, used


async def until_talking(house: Watched, call_ref: str) -> None:
    """Look until 111 has answered."""
    async with asyncio.timeout(20):
        while house.watch.place(call_ref) != "dialplan" or "leg_answered" not in await house.events(call_ref):
            await asyncio.sleep(0.02)
            await house.watch.look()


@pytest.mark.slow
async def test_what_a_worker_told_is_not_told_again(line: Line, tmp_path: Path) -> None:
    async with watched(tmp_path, line) as house, worker(house):
        caller, _ = line.call(keys_by_info=[(1.0, "1")])
        await asyncio.to_thread(caller.wait_answered)
        call_ref = house.only_call()
        await until_talking(house, call_ref)
        caller.hang_up()
        await until(lambda: bool(line.ended(call_ref)))
        events = await house.closed(call_ref)
        kinds = [each.kind for each in events]
        assert (kinds.count("talk_ended"), kinds.count("ended"), kinds.count("late_input")) == (1, 1, 0)


async def test_while_the_store_is_away_nothing_is_told_and_no_row_is_forgotten(line: Line, tmp_path: Path) -> None:
    async with watched(tmp_path, line, trusted=False) as house:
        caller, call_ref = await in_a_talk(house)
        caller.hang_up()
        assert await house.closed(call_ref) == []
        assert line.ended(call_ref) != {}


async def test_a_provider_whose_trunk_is_dead_is_offered_to_nobody(line: Line, tmp_path: Path) -> None:
    async with watched(tmp_path, line) as house:
        await house.watch.look()
        found = await house.service.dispatch.seek("a", ("111",), Band.NORMAL, SystemClock().now(), hold=False)
        assert getattr(found, "provider", None) == "north"


async def test_an_asterisk_that_does_not_answer_leaves_everything_as_it_is(line: Line, tmp_path: Path) -> None:
    async with watched(tmp_path, line) as house:
        caller, call_ref = await in_a_talk(house)
        await house.stage(call_ref, "dialplan")
        async with Ari("http://127.0.0.1:9/ari", "watch-nobody", "nobody", "nothing") as nobody:
            lost = AsteriskWatch("east", nobody, None, house.service.calls, house.service.dispatch, SystemClock())
            await lost.look()
            assert lost.place(call_ref) == "unknown"
        caller.hang_up()
