"""The list of the SIP edge (docs/sip-edge.md), line by line, on a real Asterisk with real SIP on both sides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.asterisk.instance import Asterisk, AsteriskSettings, Provider
from tests.integration.conftest_asterisk import (  # noqa: F401  two of them are fixtures
    Line,
    dial_says,
    fresh_context,
    line_of_a_test,
    named,
    session_line,
    until,
)
from tests.sip.alive import wait_alive
from tests.sip.rtp import TELEPHONE_EVENT, RtpEnd
from tests.sip.sipp import SippCaller, SippProvider
from tests.sip.tls_provider import TlsProvider

pytestmark = pytest.mark.alone

IDENTITY = {
    "P-Asserted-Identity": "<sip:+442079460000@carrier.example>",
    "Privacy": "none",
    "Diversion": "<sip:+442079460123@gp.example>;reason=unconditional",
    "History-Info": "<sip:+442079460123@gp.example>;index=1",
}


@contextlib.contextmanager
def own_asterisk(line: Line, folder: Path, *providers: Provider, **settings: object) -> Iterator[Asterisk]:
    """One whose only targets are these; the first is the default."""
    chosen = AsteriskSettings(list(providers), default_provider=providers[0].id, announcement="im-sorry", **settings)  # type: ignore[arg-type]
    with Asterisk(folder / "own", chosen, line.asterisk.installation) as own:
        yield own


async def test_the_identity_passes_and_nothing_else_is_copied(line: Line) -> None:
    others = {
        "Remote-Party-ID": "<sip:+447700900999@carrier.example>;party=calling",
        "Call-Info": "<http://carrier.example/caller>",
        "Subject": "call of a person",
        "X-Carrier": "secret",
    }
    context = fresh_context()
    async with line.worker() as worker:
        line.call(headers=IDENTITY | others)
        await worker.say(await worker.own(), f"e1-to-{context}-north")
        invite = await asyncio.to_thread(line.invite, "north", context)
    assert {name: invite.header(name) for name in IDENTITY} == IDENTITY
    assert [invite.header(name) for name in others] == [None] * len(others)


async def test_a_withheld_identity_is_shown_to_a_trusted_provider(line: Line, tmp_path: Path) -> None:
    with RtpEnd() as mouth, SippProvider(tmp_path, mouth) as provider, RtpEnd() as ear:
        trusted = Provider("ambulance", "127.0.0.1", provider.port, trusted=True)
        with own_asterisk(line, tmp_path, trusted) as own:
            await asyncio.to_thread(wait_alive, own)
            headers = IDENTITY | {"Privacy": "id"}
            with SippCaller(tmp_path, own.ports.sip, ear, headers=headers) as caller:
                await asyncio.to_thread(caller.wait_answered)
    invite = provider.received("INVITE")[0]
    assert {name: invite.header(name) for name in headers} == headers
    assert "+447700900123" in (invite.header("From") or "")


@pytest.mark.slow
async def test_early_media_is_no_answer(line: Line, tmp_path: Path) -> None:
    with (
        RtpEnd() as mouth,
        RtpEnd() as ear,
        SippProvider(tmp_path, mouth, answer_after=None, early_media=True) as provider,
    ):
        target = Provider("default", "127.0.0.1", provider.port)
        with own_asterisk(line, tmp_path, target, ring_seconds=1) as own:
            await asyncio.to_thread(wait_alive, own)
            with SippCaller(tmp_path, own.ports.sip, ear, refused_with=503) as caller:
                await asyncio.to_thread(provider.wait_called)
                # The caller hears it.
                assert await asyncio.to_thread(ear.wait_heard, 20)
                assert await asyncio.to_thread(caller.wait_ended) == 0
            row = own.cli("database show ended")
    assert "event=call_ended" in row
    assert "status=NOANSWER" in row
    assert "seconds=0" in row


@pytest.mark.slow
async def test_a_redirect_is_not_followed(line: Line, tmp_path: Path) -> None:
    with RtpEnd() as mouth, RtpEnd() as ear:
        before = len(line.providers["north"].received("INVITE"))
        elsewhere = f"111@127.0.0.1:{line.providers['north'].port}"
        with SippProvider(tmp_path, mouth, redirect_to=elsewhere) as provider:
            target = Provider("default", "127.0.0.1", provider.port)
            with own_asterisk(line, tmp_path, target) as own:
                await asyncio.to_thread(wait_alive, own)
                with SippCaller(tmp_path, own.ports.sip, ear, refused_with=503) as caller:
                    assert await asyncio.to_thread(caller.wait_ended) == 0
            assert len(provider.received("INVITE")) == 2
        assert len(line.providers["north"].received("INVITE")) == before


async def test_a_transfer_by_the_other_side_is_refused_and_the_talk_goes_on(line: Line) -> None:
    async with line.worker() as worker:
        before = len(line.providers["default"].received("INVITE"))
        caller, ear = line.call(refer_to=f"999@127.0.0.1:{line.asterisk.ports.sip}")
        context = fresh_context()
        await worker.say(await worker.own(), f"e1-to-{context}-north")
        await asyncio.to_thread(line.invite, "north", context)
        await asyncio.to_thread(caller.wait_answered)
        await asyncio.to_thread(caller.wait_received, "SIP/2.0 603")
        assert await asyncio.to_thread(ear.wait_heard, 20)
        caller.hang_up()
        assert await asyncio.to_thread(caller.wait_ended) == 0
    assert len(line.providers["default"].received("INVITE")) == before


async def test_session_timers_are_agreed_on(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call(headers={"Supported": "timer", "Session-Expires": "1800;refresher=uac"})
        await worker.ari.answer((await worker.own()).id)
        answer = await asyncio.to_thread(caller.wait_answered)
    assert (answer.header("Session-Expires") or "").startswith("1800")


async def test_sound_is_alaw_from_end_to_end(line: Line) -> None:
    context = fresh_context()
    async with line.worker() as worker:
        caller, ear = line.call(formats="0 8 3 101")
        await worker.say(await worker.own(), f"e1-to-{context}-north")
        invite = await asyncio.to_thread(line.invite, "north", context)
        answer = await asyncio.to_thread(caller.wait_answered)
        assert await asyncio.to_thread(ear.wait_heard, 20)
        assert {packet.payload for packet in ear.heard} == {8}
    for message in (invite, answer):
        offered = next(line for line in message.body.splitlines() if line.startswith("m=audio"))
        assert offered.split()[3:] == ["8", "101"]


async def test_keys_pass_through_a_talk_as_rfc_4733(line: Line) -> None:
    context = fresh_context()
    async with line.worker() as worker:
        caller, ear = line.call()
        await worker.say(await worker.own(), f"e1-to-{context}-north")
        await asyncio.to_thread(line.invite, "north", context)
        await asyncio.to_thread(caller.wait_answered)
        before = len(line.ears["north"].heard)
        ear.press("5")
        await until(lambda: TELEPHONE_EVENT in {packet.payload for packet in line.ears["north"].heard[before:]})


async def test_only_the_carrier_may_ring_and_a_provider_can_dial_nothing(line: Line) -> None:
    async with line.worker() as worker:
        for dialled in ("111", "999"):
            stranger, _ = line.call(address="127.0.0.2", dial=dialled, refused_with=401)
            assert await asyncio.to_thread(stranger.wait_ended) == 0
        assert all(each.type != "CallBroadcast" for each in worker.seen)


async def test_a_context_of_somebody_else_is_no_loop(line: Line) -> None:
    async with line.worker() as worker:
        line.call(headers={"User-to-User": "48656c6c6f;encoding=text"})
        await worker.own()


def test_a_caller_who_cannot_speak_is_not_timed_out(line: Line) -> None:
    for endpoint in ("carrier", "provider-north"):
        shown = line.asterisk.cli(f"pjsip show endpoint {endpoint}")
        assert _value(shown, "rtp_timeout") == "0"
        assert _value(shown, "rtp_timeout_hold") == "0"


def test_providers_are_asked_every_two_seconds_and_given_one(line: Line) -> None:
    shown = line.asterisk.cli("pjsip show aor provider-north")
    assert _value(shown, "qualify_frequency") == "2"
    assert float(_value(shown, "qualify_timeout")) == 1.0


@pytest.mark.slow
async def test_an_invite_too_long_for_udp_goes_by_tcp(line: Line, tmp_path: Path) -> None:
    long = {"Diversion": f"<sip:+442079460123@{'gp.' * 400}example>;reason=unconditional"}
    with (
        RtpEnd() as mouth,
        RtpEnd() as ear,
        SippProvider(tmp_path / "udp", mouth) as udp,
        SippProvider(tmp_path / "tcp", mouth, port=udp.port, transport="tcp") as tcp,
        own_asterisk(line, tmp_path, Provider("default", "127.0.0.1", udp.port)) as own,
    ):
        await asyncio.to_thread(wait_alive, own)
        for headers in ({}, long):
            with SippCaller(tmp_path, own.ports.sip, ear, headers=headers) as caller:
                await asyncio.to_thread(caller.wait_answered)
        assert [len(each.received("INVITE")) for each in (udp, tcp)] == [1, 1]
        assert tcp.received("INVITE")[0].header("Diversion") == long["Diversion"]


@pytest.mark.slow
async def test_a_provider_on_tcp_is_rung_by_tcp(line: Line, tmp_path: Path) -> None:
    with (
        RtpEnd() as mouth,
        RtpEnd() as ear,
        SippProvider(tmp_path, mouth, transport="tcp") as provider,
        own_asterisk(line, tmp_path, Provider("default", "127.0.0.1", provider.port, transport="tcp")) as own,
    ):
        await asyncio.to_thread(wait_alive, own)
        with SippCaller(tmp_path, own.ports.sip, ear) as caller:
            await asyncio.to_thread(caller.wait_answered)
        assert "/TCP " in (provider.received("INVITE")[0].header("Via") or "")


async def test_a_provider_on_tls_is_rung_by_tls_with_srtp(line: Line, tmp_path: Path) -> None:
    with TlsProvider(tmp_path / "tls") as provider, RtpEnd() as ear:
        secure = Provider("default", "127.0.0.1", provider.port, transport="tls", media_encryption="sdes")
        with own_asterisk(line, tmp_path, secure, tls_ca_file=provider.certificate) as own:
            await asyncio.to_thread(wait_alive, own)
            with SippCaller(tmp_path, own.ports.sip, ear):
                invite = await asyncio.to_thread(provider.wait_invite)
    assert "/TLS " in invite
    assert "RTP/SAVP 8 101" in invite
    assert "a=crypto:1 AES_CM_128_HMAC_SHA1_80" in invite


@pytest.mark.slow
async def test_a_provider_whose_certificate_nobody_signed_is_not_rung(line: Line, tmp_path: Path) -> None:
    with TlsProvider(tmp_path / "tls") as provider, TlsProvider(tmp_path / "other") as other, RtpEnd() as ear:
        secure = Provider("default", "127.0.0.1", provider.port, transport="tls")
        with (
            own_asterisk(line, tmp_path, secure, tls_ca_file=other.certificate) as own,
            SippCaller(tmp_path, own.ports.sip, ear, refused_with=503) as caller,
        ):
            assert await asyncio.to_thread(caller.wait_ended, 60.0) == 0
    assert provider.invites == []


def test_keys_of_the_sound_never_go_in_clear() -> None:
    with pytest.raises(ValueError, match="sdes needs tls"):
        Provider("default", "192.0.2.1", transport="tcp", media_encryption="sdes")


def _value(shown: str, name: str) -> str:
    return next(line.partition(":")[2].strip() for line in shown.splitlines() if line.split(":")[0].strip() == name)
