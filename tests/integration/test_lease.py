"""A lease is renewed only by the epoch that owns the caller: late renewals, on a real Asterisk, change nothing."""

from __future__ import annotations

import asyncio

import pytest

from adapters.asterisk.ari import AriEvent, AriGone
from tests.integration.conftest_asterisk import (  # noqa: F401  the last two are fixtures
    LEASE,
    Line,
    fresh_context,
    line_of_a_test,
    session_line,
)

pytestmark = pytest.mark.alone

SHORT_S = 0.3
"""A lease that would have run out long before the test looks."""
LOOK_AFTER_S = 1.0


@pytest.mark.parametrize(("target", "until"), [("north", "ANSWER"), ("silent", "RINGING")])
async def test_a_late_renewal_cuts_neither_a_talk_nor_a_dial(line: Line, target: str, until: str) -> None:
    async with line.worker() as worker:
        line.call()
        channel = await worker.own()
        await worker.say(channel, f"e1-to-{fresh_context()}-{target}")
        await worker.wait(lambda e: e.type == "Dial" and e.body["dialstatus"] == until)
        await worker.ari.renew_lease(channel.id, 1, SHORT_S)
        await asyncio.sleep(LOOK_AFTER_S)  # nothing may happen: there is no event to wait for
        assert (await worker.ari.get_channel(channel.id)).variables["STAGE"] == (
            "talk" if until == "ANSWER" else "dialling"
        )
        assert not [each for each in worker.seen if each.type == "ChannelDestroyed"]


async def test_a_late_renewal_does_not_keep_a_caller_from_the_next_owner(line: Line) -> None:
    async with line.worker() as stale, line.worker(claims=False) as owner:
        line.call()
        channel = await stale.own()
        owner.claims = True
        stale.hang()
        await owner.own(epoch=2)
        await owner.kill()
        # the first owner's late renewal would hold the caller in silence for a minute
        await stale.ari.renew_lease(channel.id, 1, 60)
        stale.claims = True
        await stale.own(epoch=3, within=LEASE + 3.0)


async def test_a_renewal_for_a_caller_who_has_hung_up_says_so(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call()
        channel = await worker.own()
        caller.hang_up()
        await worker.wait(_destroyed)
        with pytest.raises(AriGone):
            await worker.ari.renew_lease(channel.id, 1, LEASE)


def _destroyed(event: AriEvent) -> bool:
    return event.type == "ChannelDestroyed"
