"""A worker that is told to stop hands its callers to others; an INVITE that comes twice is one call."""

from __future__ import annotations

import asyncio
from pathlib import Path

from callrouter.model import NEXT_LIFE, InputKind
from ivr.model import GatherWait, TalkWait
from tests.faults.ari_server import SOON_S, Caller
from tests.faults.sip_house import sip_house

REF, TWIN = "a" * 32, "b" * 32


def a_caller(channel_id: str = "1.1", call_ref: str = REF, **facts: str) -> Caller:
    return Caller(channel_id, call_ref, facts=facts)


def the_same_call(channel_id: str = "2.1") -> Caller:
    """The carrier sends the INVITE of ``a_caller`` again."""
    return Caller(channel_id, TWIN, facts={"SIP_CALL_ID": "1.1"})


# ---------------------------------------------------------------------- drain


async def test_a_worker_that_stops_hands_over_whom_it_holds_and_takes_nobody_new(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        stopping = asyncio.create_task(house.worker.__aexit__(None, None, None))
        order = await house.asterisk.wait_asked("POST channels/1.1/continue")
        assert (order.query["context"], order.query["extension"]) == ("fenced", "e1-claim")
        await stopping
        assert isinstance(await house.wait_of(REF), GatherWait), "the call itself has not moved"


async def test_a_prompt_is_stopped_before_the_caller_is_handed_over(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        house.asterisk.endless = True
        await house.asterisk.enter_stasis(a_caller())
        await house.asterisk.wait_asked("sound:emergency_999")
        await house.worker.__aexit__(None, None, None)
        asked = [str(each) for each in house.asterisk.asked]
        stopped = next(n for n, each in enumerate(asked) if each.startswith("DELETE playbacks/"))
        assert stopped < asked.index("POST channels/1.1/continue")


async def test_a_talk_is_left_alone_by_a_worker_that_stops(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_a_talk(a_caller())
        before = len(house.asterisk.requests("/continue"))
        await house.worker.__aexit__(None, None, None)
        assert len(house.asterisk.requests("/continue")) == before
        assert isinstance(await house.wait_of(REF), TalkWait)


# ---------------------------------------------------------------------- another worker's move


async def test_an_offer_that_another_worker_commits_is_performed_where_the_line_is(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        known = await house.service.calls.present(REF)
        given = house.door_input(InputKind.DIGIT, "1", known)
        await house.service.calls.handle(REF, given)  # as another process would, which holds no line
        await house.service.calls.nudged(REF)
        order = await house.asterisk.wait_asked("POST channels/1.1/continue")
        assert order.query["extension"].startswith("e1-to")


async def test_a_caller_whom_another_worker_took_is_not_ours_to_perform_for(tmp_path: Path) -> None:
    """Else an offer that this worker commits for them would be kept here, and its line never rung."""
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        assert house.worker.owns(REF)
        await house.asterisk.leave_stasis(a_caller())  # claimed before we noticed that our lease had run out
        async with asyncio.timeout(SOON_S):
            while house.worker.owns(REF):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)


async def test_a_caller_for_whom_we_dialled_in_vain_is_theirs_who_claimed_next(tmp_path: Path) -> None:
    """Else an offer that this worker commits for them would be kept here, and nobody dials."""
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(caller)
        await house.asterisk.press(caller, "1")
        await house.asterisk.wait_asked("-to")
        await house.asterisk.leave_stasis(caller)
        house.asterisk.refused.add("POST events/claim")  # another worker is quicker
        caller.facts["STAGE"] = "returned"
        await house.asterisk.send("CallBroadcast", channel=caller.body())
        await house.asterisk.wait_asked("POST events/claim")
        assert not house.worker.owns(REF)


async def test_a_caller_for_whom_we_dialled_in_vain_and_whom_we_claim_again_is_ours(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(caller)
        await house.asterisk.press(caller, "1")
        await house.asterisk.wait_asked("-to")
        await house.asterisk.leave_stasis(caller)
        await house.asterisk.send("CallBroadcast", channel=caller.body())
        await house.asterisk.wait_asked("POST events/claim")
        await house.asterisk.enter_stasis(caller, epoch=2)
        await house.asterisk.wait_asked("-to", 2)
        assert house.worker.owns(REF)


async def test_a_caller_whom_the_dialplan_has_by_our_order_is_still_ours(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_a_talk(a_caller())
        assert house.worker.owns(REF)


async def test_a_nudge_for_what_is_being_done_already_changes_nothing(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        before = len(house.asterisk.requests("/play/"))
        await house.service.calls.nudged(REF)
        await house.asterisk.press(a_caller(), "1")
        await house.asterisk.wait_asked("-to")
        assert len(house.asterisk.requests("/play/")) == before


# ---------------------------------------------------------------------- one INVITE, twice


async def test_an_invite_that_comes_again_goes_on_with_the_same_call(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        await house.in_the_menu(the_same_call())
        assert not await house.knows(TWIN), "the city counts one call"
        known = await house.service.calls.present(REF)
        assert known.epoch == NEXT_LIFE + 1
        await house.asterisk.press(the_same_call(), "1")
        order = await house.asterisk.wait_asked("POST channels/2.1/continue")
        assert order.query["extension"].startswith("e1-to"), "the dialplan of the second line counts its own owners"
        assert (await house.kinds(REF)).count("offered") == 1


async def test_two_callers_whose_call_ids_did_not_reach_us_are_two_calls(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller(SIP_CALL_ID="", FROM_TAG=""))
        await house.in_the_menu(Caller("2.1", TWIN, facts={"SIP_CALL_ID": "", "FROM_TAG": ""}))
        assert await house.knows(TWIN)
        assert (await house.service.calls.present(REF)).epoch == 1, "nobody took the first caller's session over"


async def test_the_line_that_the_caller_has_left_is_ended_and_dials_nobody(tmp_path: Path) -> None:
    first = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(first)
        await house.in_the_menu(the_same_call())
        await house.asterisk.enter_stasis(first, epoch=2)  # its lease ran out, and it was claimed again
        order = await house.asterisk.wait_asked("POST channels/1.1/continue")
        assert order.query["extension"] == "e2-end"
        assert isinstance(await house.wait_of(REF), GatherWait), "the caller is on the second line"


async def test_the_next_owner_of_the_second_line_finds_the_call_too(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        await house.in_the_menu(the_same_call())
        await house.in_the_menu(the_same_call(), epoch=2)
        assert (await house.service.calls.present(REF)).epoch == NEXT_LIFE + 2


async def test_the_line_of_an_asterisk_that_was_silent_is_ended_when_the_edges_next_try_was_quicker(
    tmp_path: Path,
) -> None:
    later = a_caller(TRY="2")
    stale = Caller("2.1", TWIN, facts={"SIP_CALL_ID": "1.1", "TRY": "1"})
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(later)
        await house.asterisk.enter_stasis(stale)
        order = await house.asterisk.wait_asked("POST channels/2.1/continue")
        assert order.query["extension"] == "e1-end"
        await house.asterisk.hang_up(stale)
        await house.asterisk.press(later, "1")
        await house.asterisk.wait_asked("POST channels/1.1/continue")
        assert "ended" not in await house.kinds(REF), "the caller is on the other line"


async def test_the_end_of_the_line_that_was_left_is_not_the_end_of_the_call(tmp_path: Path) -> None:
    first = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(first)
        await house.in_the_menu(the_same_call())
        await house.asterisk.hang_up(first)  # the edge has cancelled it
        await house.handled(InputKind.HUNG_UP)
        assert isinstance(await house.wait_of(REF), GatherWait)
        await house.asterisk.hang_up(the_same_call())
        await house.handled(InputKind.HUNG_UP)
        assert (await house.kinds(REF)).count("ended") == 1


async def test_a_carrier_that_rings_again_through_the_same_edge_is_served(tmp_path: Path) -> None:
    twin = Caller("2.1", TWIN, facts={"SIP_CALL_ID": "1.1", "TRY": "1"})
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller(TRY="1"))
        await house.in_the_menu(twin)
        assert (await house.service.calls.present(REF)).epoch == NEXT_LIFE + 1


async def test_a_failed_dial_that_was_told_before_does_not_stand_for_the_next_one(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(caller)
        await house.asterisk.press(caller, "1")
        await house.asterisk.wait_asked("-to")
        target = (await house.service.calls.present(REF)).wait.target  # type: ignore[union-attr]
        caller.facts |= {"STAGE": "returned", "TARGET": target, "DIALSTATUS": "BUSY", "DIALNO": "1"}
        await house.asterisk.leave_stasis(caller)
        await house.asterisk.enter_stasis(caller, epoch=2)
        await house.asterisk.wait_asked("-to", 2)
        present = await house.service.calls.present(REF)
        caller.facts["TARGET"] = present.wait.target  # type: ignore[union-attr]
        await house.asterisk.enter_stasis(caller, epoch=3)  # its holder died before it dialled
        order = await house.asterisk.wait_asked("-to", 3)
        assert order.query["extension"].startswith("e3-to"), "the caller is dialled for, at once"
