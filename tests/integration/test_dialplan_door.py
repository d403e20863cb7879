"""Who is let in, to whom, and how many: loops, numbers dialled, 999, capacity; on a real Asterisk."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from adapters.asterisk.ari import AriEvent
from infra.asterisk.instance import Asterisk, AsteriskSettings, Provider, free_ports
from tests.integration.conftest_asterisk import (  # noqa: F401  two of them are fixtures
    Line,
    dial_says,
    fresh_context,
    global_set,
    line_of_a_test,
    session_line,
    until,
)
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import SippCaller, SippProvider

pytestmark = pytest.mark.alone


async def test_our_own_call_coming_back_is_refused(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call(refused_with=482, headers={"User-to-User": f"{fresh_context()};encoding=hex"})
        assert await asyncio.to_thread(caller.wait_ended) == 0
        assert not worker.seen or all(each.type != "CallBroadcast" for each in worker.seen)


@pytest.mark.parametrize("dialled", ["111&PJSIP/999%40provider-north", "111%2C1", "+44111", "18001111"])
async def test_the_dialled_number_rings_nobody_else(line: Line, dialled: str) -> None:
    context = fresh_context()
    async with line.worker() as worker:
        line.call(dial=dialled)
        channel = await worker.own()
        await worker.say(channel, f"e1-to-{context}-default")
        invite = await asyncio.to_thread(line.invite, "default", context)
    expected = dialled if dialled.lstrip("+").isdecimal() else "111"
    assert channel.variables["DIALLED"] == expected
    assert invite.start.startswith(f"INVITE sip:{expected}@")


@pytest.mark.parametrize("dialled", ["999", "112"])
async def test_999_is_never_queued_and_never_shed(line: Line, dialled: str) -> None:
    with global_set(line.asterisk, "CAPACITY", "0", usually="200"):
        async with line.worker() as worker:
            before = len(line.providers["north"].received("INVITE"))
            caller, _ = line.call(dial=dialled)
            await asyncio.to_thread(caller.wait_answered)
            assert all(each.type != "CallBroadcast" for each in worker.seen)
    invite = line.providers["north"].wait_received("INVITE", count=before + 1)
    assert invite.start.startswith(f"INVITE sip:{dialled}@")


async def test_a_call_over_capacity_rings_the_default_service_at_once(line: Line) -> None:
    with global_set(line.asterisk, "CAPACITY", "0", usually="200"):
        async with line.worker() as worker:
            started = time.monotonic()
            caller, _ = line.call()
            await asyncio.to_thread(caller.wait_answered)
            assert time.monotonic() - started < 0.3 + 0.5
            assert all(each.type != "CallBroadcast" for each in worker.seen)


async def test_callers_in_a_talk_or_in_the_fallback_take_no_place_of_others(line: Line) -> None:
    with global_set(line.asterisk, "CAPACITY", "1", usually="200"):
        async with line.worker() as worker:
            line.call(number="+447700900101")
            first = await worker.own()
            shed, _ = line.call(number="+447700900102")
            await asyncio.to_thread(shed.wait_answered)
            await worker.say(first, f"e1-to-{fresh_context()}-north")
            await worker.wait(dial_says("ANSWER"))
            # One talks with a provider, one with the default service: the only place is free.
            line.call(number="+447700900103")
            await until(lambda: len(_started(worker.seen)) == 2)
    assert _started(worker.seen) == ["+447700900101", "+447700900103"]


async def test_a_caller_whose_dial_brought_no_talk_has_kept_the_place(line: Line) -> None:
    with global_set(line.asterisk, "CAPACITY", "1", usually="200"):
        async with line.worker() as worker:
            line.call(number="+447700900101")
            await worker.say(await worker.own(), f"e1-to-{fresh_context()}-busy")
            await worker.own(epoch=2)
            shed, _ = line.call(number="+447700900102")
            await asyncio.to_thread(shed.wait_answered)
    assert set(_started(worker.seen)) == {"+447700900101"}


async def test_a_default_service_that_leads_back_to_us_is_refused_and_the_caller_is_told(
    line: Line, tmp_path: Path
) -> None:
    ports = free_ports()
    settings = AsteriskSettings(
        [Provider("default", "127.0.0.1", ports.sip)], default_provider="default", announcement="im-sorry", ports=ports
    )
    with Asterisk(tmp_path / "own", settings, line.asterisk.installation) as own, RtpEnd() as ear:
        await until(lambda: " Avail " in own.cli("pjsip show contacts"))
        with SippCaller(tmp_path, own.ports.sip, ear, refused_with=503) as caller:
            # Early media: the caller hears the announcement, and pays for no answer.
            assert await asyncio.to_thread(ear.wait_heard, 20)
            assert await asyncio.to_thread(caller.wait_ended) == 0
        (row,) = [each for each in own.cli("database show ended").splitlines() if "/ended/" in each]
    # A call of ours that was let in again would have left a row of its own.
    assert "status=CHANUNAVAIL" in row
    assert "via=fallback" in row
    assert "dials=2" in row


@pytest.mark.parametrize("dialled", ["111", "999"])
async def test_a_last_resort_that_seems_dead_is_rung_all_the_same(line: Line, tmp_path: Path, dialled: str) -> None:
    with RtpEnd() as mouth, SippProvider(tmp_path, mouth, answers_options=False) as provider, RtpEnd() as ear:
        settings = AsteriskSettings(
            [Provider("default", "127.0.0.1", provider.port)], default_provider="default", announcement="im-sorry"
        )
        with Asterisk(tmp_path / "own", settings, line.asterisk.installation) as own:
            await until(lambda: " Unavail " in own.cli("pjsip show contacts"))
            with SippCaller(tmp_path, own.ports.sip, ear, dial=dialled) as caller:
                await asyncio.to_thread(caller.wait_answered)
    assert provider.received("INVITE")[0].start.startswith(f"INVITE sip:{dialled}@")


def _started(seen: list[AriEvent]) -> list[str]:
    return [each.channel.variables["CLI"] for each in seen if each.type == "StasisStart" and each.channel]
