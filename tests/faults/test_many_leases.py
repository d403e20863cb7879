"""A worker that holds many callers keeps them all, whatever Asterisk says of one."""

from __future__ import annotations

from pathlib import Path

from adapters.asterisk.ari import REQUEST_SECONDS
from adapters.asterisk.leases import ABREAST
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


async def test_nor_does_it_among_more_than_are_renewed_at_once_by_a_client_that_waits_long(tmp_path: Path) -> None:
    first, *others = [Caller(f"{n}.1", f"{n:032x}") for n in range(1, ABREAST + 2)]
    async with sip_house(tmp_path, request_seconds=REQUEST_SECONDS) as house:
        for caller in (first, *others):
            await house.in_the_menu(caller)
        house.asterisk.silent_about.add(f"GET channels/{first.id}/variable")
        last = f"GET channels/{others[-1].id}/variable"
        seen = len(house.asterisk.requests(last))
        await house.asterisk.wait_asked(last, seen + 3)
