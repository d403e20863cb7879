"""The dialplan's promises, on a real Asterisk with real SIP: whoever dies, the caller goes on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from adapters.asterisk.facts import caller_number, started_key
from infra.asterisk.instance import Asterisk, AsteriskSettings, Provider
from tests.integration.conftest_asterisk import (  # noqa: F401  the last two are fixtures
    LEASE,
    Line,
    Worker,
    dial_says,
    fresh_context,
    line_of_a_test,
    named,
    session_line,
    until,
)
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import SippCaller

pytestmark = pytest.mark.alone

# Ten seconds of core sounds: longer than several leases.
LONG_PROMPT = [
    "sound:please-try-call-later",
    "sound:sorry-youre-having-problems",
    "sound:all-circuits-busy-now",
] * 3


async def test_one_of_two_workers_gets_the_call(line: Line) -> None:
    async with line.worker() as one, line.worker() as other:
        line.call()
        await one.wait(lambda e: e.type == "CallBroadcast")
        await other.wait(lambda e: e.type == "CallBroadcast")
        await until(lambda: one.refused + other.refused == 1)
        winner, loser = (one, other) if other.refused else (other, one)
        channel = await winner.own()
        with pytest.raises(TimeoutError):
            await loser.own(within=0.5)
        assert channel.variables["CALL_REF"].isalnum()
        assert len(channel.variables["CALL_REF"]) == 32


async def test_what_a_worker_learns_from_the_invite(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call(
            headers={
                # Text that would be code if the dialplan ever evaluated it.
                "P-Asserted-Identity": '"A, (b} ${EXTEN}" <sip:+442079460000@carrier.example>',
                "Diversion": "<sip:+442079460123@gp.example>;reason=unconditional",
                "Privacy": "none",
            }
        )
        facts = (await worker.own()).variables
        invite = await asyncio.to_thread(caller.wait_sent, "INVITE")
    assert facts["CLI"] == "+447700900123"
    assert facts["PAI"] == '"A, (b} ${EXTEN}" <sip:+442079460000@carrier.example>'
    assert facts["PRIVACY"] == "none"
    assert facts["DIVERTER"] == "+442079460123"
    assert facts["SIP_CALL_ID"] == invite.header("Call-ID")
    assert f"tag={facts['FROM_TAG']}" in (invite.header("From") or "")
    assert (facts["DIALLED"], facts["STAGE"], facts["DIALNO"]) == ("111", "new", "0")


async def test_a_closing_parenthesis_in_a_header_makes_no_two_callers_one(line: Line) -> None:
    asserted = '"A) b:" <sip:+442079460000@carrier.example>'
    headers = {"P-Asserted-Identity": asserted, "Diversion": '"C) d" <sip:+442079460123@gp.example>'}
    keys, numbers = set(), set()
    context = fresh_context()
    for _ in range(2):
        async with line.worker() as worker:
            caller, _ = line.call(headers=headers, call_id="%p)a:1(b):2@carrier.example")
            channel = await worker.own()
            facts = channel.variables
            sent = await asyncio.to_thread(caller.wait_sent, "INVITE")
            assert facts["SIP_CALL_ID"] == (sent.header("Call-ID") or "").replace(")", "_")
            assert (facts["PAI"], facts["DIVERTER"]) == (asserted.replace(")", "_"), "+442079460123")
            keys.add(started_key(facts))
            numbers.add(caller_number(facts))
            if len(keys) == 2:
                await worker.say(channel, f"e1-to-{context}-north")
                invite = await asyncio.to_thread(line.invite, "north", context)
                assert invite.header("P-Asserted-Identity") == asserted, "the provider gets it as it came"
    assert len(keys) == 2, "two callers, two calls"
    assert [each.e164 for each in numbers] == ["+442079460000"]


@pytest.mark.parametrize("failure", ["hung", "killed"])
async def test_the_lease_brings_the_caller_to_another_worker(line: Line, failure: str) -> None:
    async with line.worker() as first, line.worker(claims=False) as second:
        caller, ear = line.call()
        channel = await first.own()
        await first.ari.answer(channel.id)
        await asyncio.to_thread(caller.wait_answered)
        await first.ari.play(channel.id, f"{channel.id}-long", LONG_PROMPT)
        assert await asyncio.to_thread(ear.wait_heard, 10)
        second.claims = True
        failed_at = time.monotonic()
        if failure == "hung":
            first.hang()
        else:
            await first.kill()
        taken = await second.own(epoch=2)
        assert time.monotonic() - failed_at < LEASE + 0.5
        await second.ari.play(taken.id, f"{taken.id}-again", LONG_PROMPT)
        assert await asyncio.to_thread(ear.wait_heard, 20)
        assert taken.variables["CALL_REF"] == channel.variables["CALL_REF"]
        if failure == "hung":
            await first.wait(lambda e: e.type == "StasisEnd")
        # The caller hears a cut of a few packets at the most, and no new call.
        assert ear.longest_gap(since=failed_at) < 0.2
        assert len({packet.source for packet in ear.heard}) == 1


async def test_no_worker_left_means_the_default_service(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call()
        channel = await worker.own()
        await worker.kill()
    gone_at = time.monotonic()
    await asyncio.to_thread(line.invite, "default", channel.variables["CALL_REF"])
    assert time.monotonic() - gone_at < LEASE + 1.0
    await asyncio.to_thread(caller.wait_answered)


async def test_nobody_connected_rings_the_default_service_before_any_answer(line: Line) -> None:
    started, default = time.monotonic(), line.providers["default"]
    before = len(default.received("INVITE"))
    caller, ear = line.call()
    await asyncio.to_thread(default.wait_called, count=before + 1)
    await asyncio.to_thread(caller.wait_answered)
    # Half a second for a claim, and the provider's own ringing: had we answered, it would be sooner.
    assert time.monotonic() - started > 0.5 + 0.25
    assert await asyncio.to_thread(ear.wait_heard, 20)


async def test_renewing_is_not_held_up_by_a_prompt(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call()
        channel = await worker.own()
        await worker.ari.answer(channel.id)
        await asyncio.to_thread(caller.wait_answered)
        await worker.ari.play(channel.id, f"{channel.id}-long", LONG_PROMPT)
        slowest = 0.0
        for _ in range(20):
            before = time.monotonic()
            await worker.ari.renew_lease(channel.id, 1, LEASE)
            slowest = max(slowest, time.monotonic() - before)
            await asyncio.sleep(LEASE * 1.25 / 20)
        assert slowest < 0.1
        assert not [each for each in worker.seen if each.type == "StasisEnd"]


async def test_a_talk_with_a_provider_ended_by_the_caller(line: Line) -> None:
    context = fresh_context()
    async with line.worker() as worker:
        caller, ear = line.call(headers={"P-Asserted-Identity": "<sip:+442079460000@carrier.example>"})
        channel = await worker.own()
        await worker.ari.answer(channel.id)
        await asyncio.to_thread(caller.wait_answered)
        await worker.say(channel, f"e1-to-{context}-north")
        invite = await asyncio.to_thread(line.invite, "north", context)
        assert "+447700900123" in (invite.header("From") or "")
        assert invite.header("P-Asserted-Identity") == "<sip:+442079460000@carrier.example>"
        await worker.wait(dial_says("RINGING"))
        await worker.wait(dial_says("ANSWER"))
        assert await asyncio.to_thread(ear.wait_heard, 20)
        assert await asyncio.to_thread(line.ears["north"].wait_heard, 20)
        caller.hang_up()
        ended = await worker.wait(named("talk_ended"))
    told = ended.body["userevent"]
    row = line.ended(channel.variables["CALL_REF"])
    assert (row["event"], row["by"], row["target"], row["context"]) == ("talk_ended", "caller", "north", context)
    assert {name: told[name] for name in row if name != "event"} == {k: v for k, v in row.items() if k != "event"}


async def test_a_talk_outlives_its_worker(line: Line) -> None:
    context = fresh_context()
    async with line.worker() as worker:
        caller, ear = line.call()
        channel = await worker.own()
        await worker.say(channel, f"e1-to-{context}-north")
        await worker.wait(dial_says("ANSWER"))
    await asyncio.to_thread(caller.wait_answered)
    await asyncio.to_thread(line.invite, "north", context)
    # Longer than a lease: none is running.
    assert await asyncio.to_thread(ear.wait_heard, int((LEASE + 0.5) / 0.02))
    caller.hang_up()
    await asyncio.to_thread(caller.wait_ended)
    await until(lambda: line.ended(channel.variables["CALL_REF"]) != {})
    assert line.ended(channel.variables["CALL_REF"])["by"] == "caller"


async def test_a_talk_ended_by_the_provider_ends_the_call(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call()
        channel = await worker.own()
        await worker.say(channel, f"e1-to-{fresh_context()}-short")
        ended = await worker.wait(named("talk_ended"))
        assert await asyncio.to_thread(caller.wait_ended) == 0
    assert ended.body["userevent"]["by"] == "provider"
    assert line.ended(channel.variables["CALL_REF"])["by"] == "provider"


@pytest.mark.parametrize(
    ("target", "status", "sip"),
    [("busy", "BUSY", "486"), ("silent", "NOANSWER", None), ("unheard-of", "CHANUNAVAIL", None)],
)
async def test_a_dial_without_a_talk_comes_back(line: Line, target: str, status: str, sip: str | None) -> None:
    context = fresh_context()
    async with line.worker() as worker:
        line.call()
        channel = await worker.own()
        await worker.say(channel, f"e1-to-{context}-{target}")
        facts = (await worker.own(epoch=2)).variables
        assert (facts["STAGE"], facts["DIALSTATUS"], facts["TARGET"]) == ("returned", status, target)
        assert (facts["DIALNO"], facts.get("LEG_SIP")) == ("1", sip)
        # And the next one is tried by the same owner, with a new epoch.
        await worker.say(channel, f"e2-to-{fresh_context()}-north")
        await worker.wait(dial_says("ANSWER"))


@pytest.mark.parametrize("when", ["before the answer", "after the answer"])
async def test_a_caller_who_hangs_up_is_told_from_a_lost_lease(line: Line, when: str) -> None:
    async with line.worker() as worker:
        caller, _ = line.call()
        channel = await worker.own()
        if when == "after the answer":
            await worker.ari.answer(channel.id)
            await asyncio.to_thread(caller.wait_answered)
        caller.hang_up()
        ended = await worker.wait(named("call_ended"))
    assert ended.body["userevent"]["by"] == "caller"
    # A worker that loses a call to another sees StasisEnd alone.
    assert ended.body["userevent"]["call_ref"] == channel.variables["CALL_REF"]
    assert line.ended(channel.variables["CALL_REF"])["by"] == "caller"


@pytest.mark.parametrize("how", ["rfc4733", "info", "info without telephone-event in the offer"])
async def test_keys_arrive_while_a_prompt_plays(line: Line, how: str) -> None:
    by_info = [(0.4, "4"), (0.2, "4"), (0.2, "#")]
    async with line.worker() as worker:
        if how == "rfc4733":
            caller, ear = line.call()
        else:
            caller, ear = line.call(keys_by_info=by_info, rfc4733="without" not in how)
        channel = await worker.own()
        await worker.ari.answer(channel.id)
        await worker.ari.play(channel.id, f"{channel.id}-long", LONG_PROMPT)
        await asyncio.to_thread(caller.wait_answered)
        if how == "rfc4733":
            ear.press("44#")
        await worker.wait(lambda e: e.type == "ChannelDtmfReceived" and e.body["digit"] == "#")
    assert _keys(worker) == "44#"


async def test_a_stopped_prompt_says_so_once(line: Line) -> None:
    async with line.worker() as worker:
        caller, ear = line.call()
        channel = await worker.own()
        await worker.ari.answer(channel.id)
        await asyncio.to_thread(caller.wait_answered)
        playback = f"{channel.id}-long"
        await worker.ari.play(channel.id, playback, LONG_PROMPT)
        assert await asyncio.to_thread(ear.wait_heard, 10)
        await worker.ari.stop_playback(playback)
        finished = await worker.wait(lambda e: e.type == "PlaybackFinished")
        assert finished.body["playback"]["id"] == playback
        await worker.ari.start_moh(channel.id)
        assert await asyncio.to_thread(ear.wait_heard, 20)
        await worker.ari.stop_moh(channel.id)
    assert len([each for each in worker.seen if each.type == "PlaybackFinished"]) == 1


async def test_a_withheld_identity_is_kept_from_a_provider_not_trusted_with_it(line: Line) -> None:
    context = fresh_context()
    async with line.worker() as worker:
        line.call(headers={"P-Asserted-Identity": "<sip:+442079460000@carrier.example>", "Privacy": "id"})
        channel = await worker.own()
        await worker.say(channel, f"e1-to-{context}-north")
        invite = await asyncio.to_thread(line.invite, "north", context)
    assert channel.variables["PAI"] == "<sip:+442079460000@carrier.example>"
    assert invite.header("P-Asserted-Identity") is None
    assert "anonymous" in (invite.header("From") or "")
    assert invite.header("Privacy") == "id"


async def test_the_record_of_an_end_outlives_an_orderly_restart(line: Line, tmp_path: Path) -> None:
    short = line.providers["short"]
    settings = AsteriskSettings([Provider("short", "127.0.0.1", short.port)], default_provider="short")
    with Asterisk(tmp_path / "own", settings, line.asterisk.installation) as own, RtpEnd() as ear:
        with SippCaller(tmp_path, own.ports.sip, ear) as caller:
            assert await asyncio.to_thread(caller.wait_ended) == 0
        own.stop()
        own.start()
        assert "by=provider" in own.cli("database show ended")


def _keys(worker: Worker) -> str:
    return "".join(each.body["digit"] for each in worker.seen if each.type == "ChannelDtmfReceived")
