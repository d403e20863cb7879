"""No fault between Asterisk and us leaves a caller in silence, or a call that nobody ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from adapters.asterisk.ari import Ari
from adapters.asterisk.worker import ENDS_AT_ONCE
from callrouter.model import InputKind
from ivr.model import Band, GoneWait, OfferWait, TalkWait
from tests.faults.ari_server import SOON_S, Caller
from tests.faults.sip_house import ONE_LINE, BrokenAudio, EndingAri, SipHouse, sip_house
from tests.noted_turns import Noted

REF = "a" * 32


def a_caller(channel_id: str = "1.1", call_ref: str = REF) -> Caller:
    return Caller(channel_id, call_ref)


async def all_lines_taken(house: SipHouse) -> None:
    await house.service.dispatch.seek("other", ("111",), Band.NORMAL, house.service.clock.now(), hold=False)


async def waits_for_a_line(house: SipHouse, caller: Caller) -> None:
    """The caller holds for the one line of 111, which somebody else has."""
    await all_lines_taken(house)
    await house.in_the_menu(caller)
    await house.asterisk.press(caller, "1")
    await house.asterisk.wait_asked("/moh")
    assert isinstance(await house.wait_of(caller.call_ref), OfferWait)


# ---------------------------------------------------------------------- begun_elsewhere


async def test_a_call_that_nobody_knows_begins_again_under_a_name_of_its_own(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(caller, epoch=2)
        assert not await house.knows(REF), "the first life's journal is not written to again"
        assert (await house.service.calls.present(f"{REF}e2")).epoch == 2
        await house.asterisk.press(caller, "1")
        order = await house.asterisk.wait_asked("POST channels/1.1/continue")
        assert order.query["extension"].startswith("e2-to")
        await house.asterisk.hang_up(caller)
        assert (await house.handled(InputKind.HUNG_UP))[0] == f"{REF}e2"
        assert (await house.kinds(f"{REF}e2"))[0] == "offered"
        assert await house.kinds(REF) == []
        assert (await house.offered(f"{REF}e2")).resumes == REF, "one contact: one caller is not counted twice"


@pytest.mark.parametrize("gap", [False, True])
async def test_a_call_that_began_again_keeps_its_second_name_for_the_next_owner(tmp_path: Path, gap: bool) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(caller, epoch=2)
        if gap:
            house.asterisk.drop()
            await house.asterisk.wait_dropped()
            await house.asterisk.come_back()
        await house.in_the_menu(caller, epoch=3)
        assert not await house.knows(f"{REF}e3")
        assert "taken_over" in await house.kinds(f"{REF}e2")
        await house.asterisk.hang_up(caller)
        assert (await house.handled(InputKind.HUNG_UP))[0] == f"{REF}e2"


async def test_a_dial_that_comes_back_to_a_door_that_forgot_the_call_begins_again(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        caller.facts |= {"STAGE": "returned", "TARGET": "first-111", "DIALSTATUS": "BUSY", "DIALNO": "1"}
        await house.in_the_menu(caller, epoch=3)
        assert (await house.kinds(f"{REF}e3"))[0] == "offered"
        assert not await house.knows(REF)


# ---------------------------------------------------------------------- unreadable_event, ending_listener


@pytest.mark.parametrize(
    "unreadable",
    [
        {"type": "StasisStart", "channel": a_caller("9.9").body(), "args": []},
        {"type": "StasisStart", "channel": a_caller("9.9").body(), "args": None},
        {"type": "StasisStart", "channel": {"id": "9.9"}, "args": [REF, "1"]},
        {"type": "PlaybackFinished", "playback": None},
        {"type": "PlaybackFinished"},
        {"type": "ChannelDtmfReceived", "channel": {"id": "1.1", "name": "n", "state": "Up", "channelvars": [1]}},
    ],
)
async def test_an_event_that_cannot_be_read_deafens_nobody(tmp_path: Path, unreadable: dict[str, Any]) -> None:
    async with sip_house(tmp_path) as house:
        with capture_logs() as logs:
            await house.asterisk.send(unreadable.pop("type"), **unreadable)
            await house.in_the_menu(a_caller())
        found = [each for each in logs if each["event"] == "event_unreadable"]
        assert [set(each) for each in found] == [{"event", "type", "error", "log_level"}], "types only, no content"


@pytest.mark.parametrize("text", ["{", "[]", "null", '"StasisStart"'])
async def test_a_message_that_is_no_event_breaks_no_connection(tmp_path: Path, text: str) -> None:
    async with sip_house(tmp_path) as house:
        await house.asterisk.send_text(text)
        await house.in_the_menu(a_caller())
        assert len(house.asterisk.requests("eventFilter")) == 1, "the same connection"


@pytest.mark.slow
async def test_a_worker_that_hears_nothing_keeps_nobody(tmp_path: Path) -> None:
    lease_s = 0.1
    async with sip_house(tmp_path, client=EndingAri, lease_s=lease_s) as house:
        await house.in_the_menu(a_caller())
        await house.asterisk.wait_asked("TIMEOUT(absolute)")
        assert isinstance(house.ari, EndingAri)
        with capture_logs() as logs:
            await house.asterisk.send(EndingAri.LAST)
            async with asyncio.timeout(SOON_S):
                await house.ari.ended.wait()
            renewed = len(house.asterisk.requests("TIMEOUT(absolute)"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(4 * lease_s):
                    await house.asterisk.wait_asked("TIMEOUT(absolute)", renewed + 2)  # one may be under way
        assert [each["log_level"] for each in logs if each["event"] == "listener_ended"] == ["error"]


# ---------------------------------------------------------------------- failing_door, broken_audio


async def test_a_door_that_fails_at_the_first_input_sends_the_caller_to_the_fall_back(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        house.door.fails_at = {InputKind.STARTED}
        await house.asterisk.enter_stasis(a_caller())
        order = await house.asterisk.wait_asked("channels/1.1/continue")
        assert order.query["extension"] == "e1-fallback"


async def test_a_door_that_fails_when_a_call_begins_again_sends_the_caller_to_the_fall_back(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        house.door.fails_at = {InputKind.STARTED}
        await house.asterisk.enter_stasis(a_caller(), epoch=2)
        order = await house.asterisk.wait_asked("channels/1.1/continue")
        assert order.query["extension"] == "e2-fallback"


async def test_a_door_that_fails_at_a_take_over_gives_the_call_up(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        house.door.fails_at = {InputKind.TAKEN_OVER}
        await house.asterisk.enter_stasis(a_caller(), epoch=2)
        order = await house.asterisk.wait_asked("channels/1.1/continue")
        assert order.query["extension"] == "e2-fallback"
        await house.asterisk.hang_up(a_caller())
        await house.handled(InputKind.HUNG_UP)
        assert "handed_back" in await house.kinds(REF)


async def test_a_line_that_breaks_sends_the_caller_to_the_fall_back(tmp_path: Path) -> None:
    async with sip_house(tmp_path, audio=BrokenAudio()) as house:
        await house.asterisk.enter_stasis(a_caller())
        order = await house.asterisk.wait_asked("channels/1.1/continue")
        assert order.query["extension"] == "e1-fallback"
        await house.asterisk.hang_up(a_caller())
        await house.handled(InputKind.HUNG_UP)
        assert "handed_back" in await house.kinds(REF)


# ---------------------------------------------------------------------- event_burst


async def test_a_caller_who_hangs_up_at_once_leaves_no_ghost(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.asterisk.enter_stasis(caller)
        await house.asterisk.hang_up(caller)
        _, given = await house.handled(InputKind.HUNG_UP)
        assert given.key == f"{REF}.ended"
        assert (await house.ended(REF)).by == "caller"
        assert (await house.kinds(REF))[0] == "offered"


async def test_a_burst_at_a_take_over_of_an_unknown_call_leaves_no_ghost(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.asterisk.enter_stasis(caller, epoch=4)
        await house.asterisk.hang_up(caller)
        assert (await house.handled(InputKind.HUNG_UP))[0] == f"{REF}e4"
        assert (await house.ended(f"{REF}e4")).by == "caller"


async def test_the_channel_is_followed_before_the_first_input(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        paths = [str(each) for each in house.asterisk.asked]
        assert paths.index("POST applications/callrouter-w1/subscription") < paths.index("POST channels/1.1/answer")


async def test_no_caller_waits_for_the_answer_that_their_channel_is_followed(tmp_path: Path) -> None:
    async with sip_house(tmp_path, request_seconds=120.0) as house:
        house.asterisk.silent_about.add("subscription")
        await house.in_the_menu(a_caller())


async def test_a_channel_that_was_gone_before_we_could_follow_it_is_ended(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        house.asterisk.gone.add(caller.id)
        await house.asterisk.enter_stasis(caller)
        await house.handled(InputKind.HUNG_UP)
        ended = await house.ended(REF)
        assert (ended.by, ended.reason) == ("unknown", "gone")


async def test_an_end_that_the_hangup_handler_did_not_tell_is_told_once(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(caller)
        await house.asterisk.vanish(caller)
        _, given = await house.handled(InputKind.HUNG_UP)
        assert (given.key, given.value) == (f"{REF}.ended", "unknown gone")
        assert (await house.ended(REF)).end_class == "left_in_message"


# ---------------------------------------------------------------------- ari_gap


async def test_a_waiting_caller_who_was_lost_in_a_gap_gives_the_place_back(tmp_path: Path) -> None:
    async with sip_house(tmp_path, providers=ONE_LINE) as house:
        await waits_for_a_line(house, a_caller())
        house.asterisk.drop()
        await house.asterisk.wait_dropped()
        await house.asterisk.come_back()
        await house.service.dispatch.leave("other")
        async with asyncio.timeout(SOON_S):
            while not isinstance(await house.wait_of(REF), GoneWait):  # noqa: ASYNC110 - the door tells nobody
                await asyncio.sleep(0)
        assert [each.reason for each in await house.service.events(REF, "handed_back")] == ["line_lost"]
        free = await house.service.dispatch.seek("next", ("111",), Band.NORMAL, house.service.clock.now(), hold=False)
        assert getattr(free, "provider", None) == "one-eleven"


async def test_a_caller_who_comes_back_by_claim_after_a_gap_keeps_the_place(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path, providers=ONE_LINE) as house:
        await waits_for_a_line(house, caller)
        house.asterisk.drop()
        await house.asterisk.wait_dropped()
        await house.asterisk.come_back()
        await house.asterisk.enter_stasis(caller, epoch=2)
        await house.asterisk.wait_asked("/moh", 2)
        await house.service.dispatch.leave("other")
        order = await house.asterisk.wait_asked("POST channels/1.1/continue")
        assert order.query["extension"].startswith("e2-to")
        assert order.query["extension"].endswith("-one-eleven")


async def test_a_caller_who_hung_up_during_a_gap_is_ended(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path, providers=ONE_LINE) as house:
        await waits_for_a_line(house, caller)
        house.asterisk.drop()
        await house.asterisk.wait_dropped()
        await house.asterisk.hang_up(caller)
        await house.asterisk.come_back()
        await house.handled(InputKind.HUNG_UP)
        assert (await house.ended(REF)).end_class == "abandoned"


async def test_a_talk_that_ended_during_a_gap_is_ended(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_a_talk(caller)
        house.asterisk.drop()
        await house.asterisk.wait_dropped()
        await house.asterisk.hang_up(caller, talked=True)
        await house.asterisk.come_back()
        _, given = await house.handled(InputKind.HUNG_UP)
        assert given.value == "unknown gone"
        assert (await house.ended(REF)).end_class == "answered"
        assert "talk_ended" in await house.kinds(REF)


async def test_a_talk_that_goes_on_through_a_gap_is_followed_again(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_a_talk(caller)
        followed = len(house.asterisk.requests(f"channel:{caller.id}"))
        house.asterisk.drop()
        await house.asterisk.wait_dropped()
        await house.asterisk.come_back()
        await house.asterisk.wait_asked(f"channel:{caller.id}", followed + 1)
        await house.asterisk.wait_asked(f"GET channels/{caller.id}")
        assert isinstance(await house.wait_of(REF), TalkWait)
        await house.asterisk.hang_up(caller, talked=True)
        await house.handled(InputKind.HUNG_UP)
        assert (await house.ended(REF)).by == "caller"
        assert (await house.kinds(REF))[-2:] == ["talk_ended", "ended"]


async def test_a_talk_that_is_ended_at_its_longest_is_no_caller_whom_we_dropped(tmp_path: Path) -> None:
    caller = a_caller()
    async with sip_house(tmp_path) as house:
        await house.in_a_talk(caller)
        await house.asterisk.hang_up(caller, talked=True, by="us")
        await house.handled(InputKind.HUNG_UP)
        assert (await house.ended(REF)).end_class == "answered"
        record = await house.service.calls.record(REF)
    assert record is not None
    assert (record.talk_over, record.dropped) == (True, False)


# ---------------------------------------------------------------------- what a healthy call costs


async def test_prompts_that_follow_one_another_are_one_request(tmp_path: Path) -> None:
    async with sip_house(tmp_path) as house:
        await house.in_the_menu(a_caller())
        media = [each.query["media"] for each in house.asterisk.requests("/play/")]
        assert media == ["sound:emergency_999,sound:recording_notice", "sound:main_menu"]


async def test_a_lease_that_is_refused_for_one_caller_is_renewed_for_the_others(tmp_path: Path) -> None:
    async with sip_house(tmp_path, lease_s=0.4) as house:
        house.asterisk.refused.add("channels/1.1/variable")
        await house.in_the_menu(a_caller())
        await house.in_the_menu(a_caller("1.2", "b" * 32))
        await house.asterisk.wait_asked("channels/1.2/variable", 2)
        assert house.asterisk.requests("channels/1.1/variable")


# ---------------------------------------------------------------------- who goes first


async def test_other_work_gives_way_to_a_caller_and_the_end_of_a_call_to_nobody(tmp_path: Path) -> None:
    """An end frees a line for the next caller, and nothing of its commit may wait for longer than the store takes."""
    turns, caller = Noted(3600.0), a_caller()
    async with sip_house(tmp_path, turns=turns) as house:
        await house.in_the_menu(caller)
        came = turns.callers
        assert came > 0
        await house.asterisk.press(caller, "1")
        await house.asterisk.wait_asked("POST channels/1.1/continue")
        assert turns.callers > came
        with turns.caller():  # another one, for as long as the test likes
            await house.asterisk.hang_up(caller)
            await house.handled(InputKind.HUNG_UP)


async def test_many_ends_in_one_instant_come_to_the_door_in_turn(tmp_path: Path) -> None:
    """Else they would wait for one another longer than the state store may take, which is then given up."""
    stays, *others = [a_caller(f"{n}.1", f"{n:032x}") for n in range(2 * ENDS_AT_ONCE)]
    async with sip_house(tmp_path) as house:
        for caller in (stays, *others):
            await house.in_the_menu(caller)
        house.door.goes_on.clear()
        while not house.door.came.empty():
            house.door.came.get_nowait()
        for caller in others:
            await house.asterisk.hang_up(caller)
        await house.asterisk.press(stays, "1")  # heard after all of them, and it waits for none
        came = []
        async with asyncio.timeout(SOON_S):
            while InputKind.DIGIT not in came:
                came.append(await house.door.came.get())
        assert came == [InputKind.HUNG_UP] * ENDS_AT_ONCE + [InputKind.DIGIT]

        house.door.goes_on.set()
        ended = {(await house.handled(InputKind.HUNG_UP))[0] for _ in others}
        assert ended == {caller.call_ref for caller in others}


# ---------------------------------------------------------------------- slow_start


LEASE_S = 1.0


class SlowlyBegun(Ari):
    """``slow_start``: from the worker's making until it begins more than a lease has passed, on a busy machine."""

    async def __aenter__(self) -> Self:
        await asyncio.sleep(1.2 * LEASE_S)
        return await super().__aenter__()


async def test_the_first_caller_after_a_slow_start_is_kept(tmp_path: Path) -> None:
    async with sip_house(tmp_path, client=SlowlyBegun, lease_s=LEASE_S) as house:
        await house.in_the_menu(a_caller())
