"""A worker that holds many callers keeps them all, whatever Asterisk says of one."""

from __future__ import annotations

from pathlib import Path

from tests.faults.ari_server import Caller
from tests.faults.sip_house import sip_house


async def test_an_answer_that_does_not_come_for_one_caller_costs_no_other_their_lease(tmp_path: Path) -> None:
    first, second = Caller("1.1", "a" * 32), Caller("2.2", "b" * 32)
    async with sip_house(tmp_path) as house:
        house.asterisk.silent_about.add("GET channels/1.1/variable")
        await house.in_the_menu(first)
        await house.in_the_menu(second)
        seen = len(house.asterisk.requests("channels/2.2/variable"))
        await house.asterisk.wait_asked("channels/2.2/variable", seen + 2)
