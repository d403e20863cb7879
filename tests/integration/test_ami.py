"""The rows of ended calls: kept through a restart of Asterisk, read, forgotten; and an Asterisk that fails at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from adapters.asterisk.ami import Ami, AmiLost, AmiRefused, AmiTimeout, EndedRow
from infra.asterisk.instance import (
    Asterisk,
    AsteriskSettings,
    AsteriskUnavailable,
    Installation,
    Provider,
    find_installation,
)
from tests.integration.conftest_asterisk import fresh_context
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import SippCaller, SippProvider, free_udp_port

SETTINGS = AsteriskSettings([Provider("default", "127.0.0.1", 9)], default_provider="default")
ROW = (
    "event=talk_ended;at=2026-03-01T08:00:00.125Z;cause=16;by=caller;status=ANSWER;stage=talk;via=worker;"
    "target=north;context={context};epoch=2;dials=3;seconds=95"
)


@pytest.fixture(scope="module", name="installation")
def _installation() -> Installation:
    try:
        return find_installation()
    except AsteriskUnavailable as reason:
        pytest.skip(f"no Asterisk: {reason}")


@pytest.fixture(scope="module", name="asterisk")
def _asterisk(tmp_path_factory: pytest.TempPathFactory, installation: Installation) -> Iterator[Asterisk]:
    with Asterisk(tmp_path_factory.mktemp("ami"), SETTINGS, installation) as asterisk:
        yield asterisk


def connect(asterisk: Asterisk, **how: str) -> Ami:
    login = {"user": asterisk.settings.ari_user, "password": asterisk.settings.ari_password} | how
    return Ami("127.0.0.1", asterisk.ports.ami, **login)


def put(asterisk: Asterisk, call_ref: str, value: str) -> None:
    asterisk.cli(f'database put ended {call_ref} "{value}"')


async def test_a_row_is_read_with_its_types_and_forgotten_alone(asterisk: Asterisk) -> None:
    one, other, context = fresh_context(), fresh_context(), fresh_context()
    for call_ref in (one, other):
        put(asterisk, call_ref, ROW.format(context=context))
    async with connect(asterisk) as ami:
        rows = {row.call_ref: row for row in await ami.ended_rows()}
        assert rows[one] == EndedRow(
            one, "talk_ended", datetime(2026, 3, 1, 8, 0, 0, 125000, UTC), 16, "caller", "ANSWER", "talk", "worker",
            "north", context, 2, 3, 95,
        )  # fmt: skip
        await ami.forget(one)
        # Another worker may have been quicker.
        await ami.forget(one)
        assert [row.call_ref for row in await ami.ended_rows()] == [other]
        await ami.forget(other)
        assert await ami.ended_rows() == []


@pytest.mark.slow
async def test_the_end_of_a_talk_that_no_worker_saw_outlives_a_restart(
    tmp_path: Path, installation: Installation
) -> None:
    before = datetime.now(UTC)
    with RtpEnd() as ear, RtpEnd() as mouth, SippProvider(tmp_path, mouth, hang_up_after=0.3) as provider:
        settings = AsteriskSettings([Provider("default", "127.0.0.1", provider.port)], default_provider="default")
        with Asterisk(tmp_path / "own", settings, installation) as own:
            async with connect(own) as ami:
                with SippCaller(tmp_path, own.ports.sip, ear) as caller:
                    assert await ami.ended_rows() == []
                    assert await asyncio.to_thread(caller.wait_ended) == 0
                own.stop()
                own.start()
                # Over the connection that the restart broke.
                (row,) = await ami.ended_rows()
                await ami.forget(row.call_ref)
                assert await ami.ended_rows() == []
                own.stop()
                with pytest.raises(AmiLost):
                    await ami.ended_rows()
                own.start()
                assert await ami.ended_rows() == []
    invite = provider.received("INVITE")[0]
    assert invite.header("User-to-User") == f"{row.call_ref};encoding=hex"
    assert (row.event, row.by, row.via, row.target, row.status) == (
        "talk_ended", "provider", "fallback", "default", "ANSWER",
    )  # fmt: skip
    assert (row.epoch, row.dials, row.cause) == (1, 1, 16)
    assert before - timedelta(seconds=1) <= row.at <= datetime.now(UTC)


@pytest.mark.parametrize("field", ["by=caller", "cause=16"])
async def test_a_row_that_cannot_be_read_keeps_no_other_from_the_journal(asterisk: Asterisk, field: str) -> None:
    good, bad, context = fresh_context(), fresh_context(), fresh_context()
    put(asterisk, good, ROW.format(context=context))
    put(asterisk, bad, ROW.format(context=context).replace(field, f"{field.partition('=')[0]}=x447700900123"))
    async with connect(asterisk) as ami:
        with structlog.testing.capture_logs() as logged:
            assert [row.call_ref for row in await ami.ended_rows()] == [good]
        assert [(each["event"], each["call_ref"]) for each in logged] == [("ended_row_unreadable", bad)]
        assert "7700" not in str(logged)
        for call_ref in (good, bad):
            await ami.forget(call_ref)


async def test_many_ask_at_once_and_each_gets_an_answer(asterisk: Asterisk) -> None:
    refs = [fresh_context() for _ in range(20)]
    for call_ref in refs:
        put(asterisk, call_ref, ROW.format(context=call_ref))
    async with connect(asterisk) as ami:
        readings = await asyncio.gather(*(ami.ended_rows() for _ in range(5)))
        assert all(sorted(row.call_ref for row in rows) == sorted(refs) for rows in readings)
        await asyncio.gather(*(ami.forget(call_ref) for call_ref in refs))
        assert await ami.ended_rows() == []


async def test_a_wrong_password_is_refused_and_not_shown(asterisk: Asterisk) -> None:
    async with connect(asterisk, password="not the one") as ami:
        for _ in range(2):
            with pytest.raises(AmiRefused) as refused:
                await ami.ended_rows()
    assert "not the one" not in str(refused.value)


@pytest.mark.parametrize("call_ref", ["", "short", "a" * 31 + "\n", "A" * 32, "a" * 32 + "\r\nAction: Command"])
async def test_only_a_call_reference_is_ever_sent(call_ref: str) -> None:
    async with Ami("127.0.0.1", 9, "user", "password") as ami:
        with pytest.raises(ValueError, match="32 hex digits"):
            await ami.forget(call_ref)


async def test_nobody_listening_is_lost() -> None:
    async with Ami("127.0.0.1", free_udp_port(), "user", "password") as ami:
        with pytest.raises(AmiLost):
            await ami.ended_rows()


async def test_an_asterisk_that_says_nothing_costs_no_more_than_the_time_allowed() -> None:
    async with a_manager(answers=False) as port, Ami("127.0.0.1", port, "user", "pw", request_seconds=0.2) as ami:
        for _ in range(2):
            with pytest.raises(AmiTimeout):
                await ami.ended_rows()


async def test_an_answer_that_stops_half_way_is_none() -> None:
    async with a_manager(answers=True) as port, Ami("127.0.0.1", port, "user", "password") as ami:
        with pytest.raises(AmiLost):
            await ami.ended_rows()


@asynccontextmanager
async def a_manager(*, answers: bool) -> AsyncIterator[int]:
    """A manager that lets everybody in and says nothing more, or half a list of rows and then hangs up."""
    closing: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        closing.append(writer)
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"Response: Success\r\nActionID: 1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        if answers:
            writer.write(b"Response: Success\r\nActionID: 2\r\nEventList: start\r\n\r\nEvent: DBGetTreeResponse\r\n")
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in closing:
            writer.close()
