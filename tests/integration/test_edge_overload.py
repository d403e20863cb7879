"""Ten times as many callers as workers can serve: each is served, rung through without us, or told at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.asterisk.ari import AriError, AriEvent
from tests.integration.conftest_asterisk import Worker
from tests.kamailio import Edge, an_edge
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import PATIENCE_MS, SipMessage, Sipp, free_udp_port

pytestmark = [pytest.mark.alone, pytest.mark.slow]

OFFERED = 200
PLACES = 20
"""Of the workers, half at each Asterisk."""
CALLS = 120
"""At the edge: what is over the workers' places goes to the fall-back, what is over this gets 503."""
RATE = 40
HOLD_S = 12
AT_ONCE = timedelta(seconds=3)
"""No more than this until a caller hears or is told something; a noisy machine is allowed for."""


class Crowd(Sipp):
    """Callers at `RATE` a second, who all stay for `HOLD_S` seconds once they were answered."""

    def __init__(self, folder: Path, to_port: int, rtp_port: int) -> None:
        common: dict[str, object] = {"from_header": "<sip:+447700900123@carrier.example>", "patience_ms": PATIENCE_MS}
        sdp = {"headers": "Subject: call", "rtp_port": rtp_port, "formats": "8", "event_lines": "a=maxptime:40"}
        fragments = [("caller_invite", common | sdp),
                     ("caller_served_or_refused", common | {"hold_ms": HOLD_S * 1000})]  # fmt: skip
        super().__init__(folder, "crowd", fragments, free_udp_port())
        self.run("-m", str(OFFERED), "-l", str(OFFERED), "-r", str(RATE), "-s", "111", f"127.0.0.1:{to_port}")

    def calls(self) -> list[list[SipMessage]]:
        """The messages of each call."""
        calls: dict[str, list[SipMessage]] = {}
        for message in self.messages:
            calls.setdefault(message.header("Call-ID") or "", []).append(message)
        return list(calls.values())


class Clerk(Worker):
    """A worker who answers each caller and plays to them."""

    async def serve(self) -> None:
        """For as long as the test lasts."""
        served: set[str] = set()
        while True:
            started = [e for e in self.seen if e.type == "StasisStart" and e.channel and e.channel.id not in served]
            for channel in (each.channel for each in started if each.channel):
                served.add(channel.id)
                try:
                    await self.ari.answer(channel.id)
                    await self.ari.start_moh(channel.id)
                except AriError:
                    continue
            await asyncio.sleep(0.01)


async def test_ten_times_too_many_callers(tmp_path: Path) -> None:
    with an_edge(tmp_path, capacity=CALLS, asterisk_capacity=PLACES // 2) as edge:
        async with AsyncExitStack() as stack:
            clerks = [await stack.enter_async_context(Clerk(each, claims=True)) for each in edge.asterisks]
            serving = [asyncio.create_task(clerk.serve()) for clerk in clerks]
            with RtpEnd() as ear, Crowd(tmp_path, edge.kamailio.port, ear.port) as crowd:
                code = await asyncio.to_thread(crowd.wait_ended, 90.0)
            for task in serving:
                task.cancel()
        _judge(edge, clerks, crowd)
        assert code == 0


def _judge(edge: Edge, clerks: list[Clerk], crowd: Crowd) -> None:
    calls = crowd.calls()
    answered = [call for call in calls if _final(call).start.startswith("SIP/2.0 200")]
    refused = [call for call in calls if _final(call).start.startswith("SIP/2.0 503")]
    inside = [len({_channel(event) for event in clerk.seen if event.type == "StasisStart"}) for clerk in clerks]
    waits = sorted(_first_word(call).at - call[0].at for call in calls)
    print(f"answered {len(answered)}, of them inside {inside}, refused {len(refused)}; "
          f"to the first word p50 {waits[len(waits) // 2]}, longest {waits[-1]}")  # fmt: skip
    assert len(calls) == OFFERED
    assert len(answered) + len(refused) == OFFERED
    assert len(answered) == CALLS
    assert all(_final(call).header("Retry-After") == "10" for call in refused)
    # Two who come in the same instant may both find the last place taken.
    assert all(PLACES // 2 - 3 <= each <= PLACES // 2 for each in inside)
    rung = {invite.header("Call-ID") for invite in edge.providers["default"].received("INVITE")}
    assert len(rung) == len(answered) - sum(inside)
    assert waits[-1] < AT_ONCE


def _final(call: list[SipMessage]) -> SipMessage:
    return next(
        each
        for each in call
        if not each.sent and "INVITE" in (each.header("CSeq") or "") and each.start[8:9] in "23456"
    )


def _first_word(call: list[SipMessage]) -> SipMessage:
    """Whatever came first that is more than 100 Trying: ringing, an announcement, an answer, a refusal."""
    return next(each for each in call if not each.sent and not each.start.startswith("SIP/2.0 100"))


def _channel(event: AriEvent) -> str:
    assert event.channel is not None
    return event.channel.id
