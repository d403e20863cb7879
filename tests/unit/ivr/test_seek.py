"""Connect and queue: offers, legs that fail or fall silent, the talk, and what comes after."""

from __future__ import annotations

import pytest
from flows.player import Player, World, inline

from ivr.actions.seek import MOST_TRIES
from ivr.model import (
    Band,
    Connect,
    DisconnectLeg,
    End,
    GoneWait,
    HandBack,
    Heard,
    Hold,
    InputKind,
    LegWait,
    OfferWait,
    TalkWait,
    Unhold,
)

QUEUE = {"action": "queue", "services": ["clinician", "111"], "hold_s": 60, "hold_prompts": ["hold"]}
FLOW = inline(
    "queue", queue={**QUEUE, "exits": {"failed": "dental"}}, dental={"action": "connect", "services": ["dental"]}
)
DIVERTS = inline(
    "up",
    up={"action": "set", "band": "raised", "exits": {"next": "dental"}},
    dental={"action": "connect", "services": ["dental"], "diverts": True},
)
NOBODY = World(free=frozenset())


def talking() -> Player:
    return Player(FLOW).play("answered")


def test_queue_holds_until_somebody_is_free() -> None:
    player = Player(FLOW, NOBODY)
    assert player.instructions[-1] == Hold(("hold",))
    assert player.session.wait == OfferWait("queue", ("clinician", "111"), Band.NORMAL, 60.0, 60.0)

    player.give(Heard(InputKind.OFFERED, "clinician"))
    assert player.instructions[-2:] == [Unhold(), Connect("clinician", 20.0)]


def test_queue_that_takes_too_long_leaves_by_failed() -> None:
    player = Player(FLOW, NOBODY)
    player.world = World(free=frozenset({"dental"}))

    assert player.play("timer").dialled == ("dental",)


def test_connect_never_holds_a_caller() -> None:
    player = Player(
        inline("dental", dental={"action": "connect", "services": ["dental"]}), World(free=frozenset({"111"}))
    )

    assert player.dialled == ("111",)


def test_leg_that_fails_makes_room_for_the_next() -> None:
    player = Player(FLOW)
    player.world = World(free=frozenset({"111"}))

    assert player.play("busy").dialled == ("clinician", "111")
    assert DisconnectLeg() not in player.instructions, "a leg that failed is gone already"


def test_leg_that_only_rings_is_disconnected_before_the_next_is_dialled() -> None:
    player = Player(FLOW)
    player.world = World(free=frozenset({"111"}))
    player.play("timer")

    kinds = [each.kind for each in player.instructions]
    assert kinds.index("disconnect_leg") < len(kinds) - 1 - kinds[::-1].index("connect")
    assert player.dialled == ("clinician", "111")


def test_leg_that_ends_before_it_was_answered_has_only_failed() -> None:
    player = Player(FLOW).play("leg_ended")

    assert not player.ended_by_us, "the caller never talked to anybody"
    assert isinstance(player.session.wait, LegWait)


def test_providers_that_all_fail_are_given_up_after_a_number_of_tries() -> None:
    player = Player(FLOW).play(*["busy"] * MOST_TRIES)

    assert player.dialled == (*["clinician"] * MOST_TRIES, "dental")


def test_ringing_changes_nothing() -> None:
    player = Player(FLOW)
    before = player.session
    assert player.give(Heard(InputKind.LEG_RINGING)).session == before


def test_talk_waits_for_its_end_and_knows_with_whom() -> None:
    assert talking().session.wait == TalkWait("queue", "clinician")


@pytest.mark.parametrize("end", ["talk_ended", "leg_ended"])
def test_call_ends_when_the_talk_does(end: str) -> None:
    player = talking().play(end)

    assert player.instructions[-1] == End("talk_ended")
    assert player.session.wait == GoneWait("queue")


@pytest.mark.parametrize("step", ["timer", "busy", "silence", "1", "0", "answered"])
def test_nothing_but_its_end_touches_a_talk(step: str) -> None:
    player = talking()
    before = player.session, len(player.instructions)
    player.play(step)
    player.give(Heard(InputKind.OFFERED, "dental"))

    assert (player.session, len(player.instructions)) == before


@pytest.mark.parametrize("step", ["answered", "timer", "busy", "0", "talk_ended"])
def test_nothing_brings_a_call_back_that_is_over(step: str) -> None:
    player = talking().play("talk_ended")
    before = player.session

    assert player.play(step).session == before


def test_worker_that_takes_a_talk_over_does_nothing_to_it() -> None:
    player = talking()
    before = len(player.instructions)

    assert len(player.play("taken_over").instructions) == before


def test_worker_that_takes_a_waiting_caller_over_lets_them_wait_on() -> None:
    player = Player(FLOW, NOBODY)
    before = player.session
    player.play("taken_over")

    assert player.session == before
    assert player.instructions[-1] == Hold(("hold",))


def test_raised_caller_is_not_diverted() -> None:
    assert Player(DIVERTS).dialled == ("111",)


def test_default_service_that_nobody_answers_is_left_to_the_network() -> None:
    player = Player(DIVERTS, NOBODY).play("timer")

    assert player.instructions[-1] == HandBack("default_service_unreachable")
    assert not player.ended_by_us
