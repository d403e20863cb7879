"""Connect and queue: offers, legs that fail or fall silent, the talk, and what comes after."""

from __future__ import annotations

import pytest
from flows.player import Player, World, inline

from ivr import engine
from ivr.actions.seek import MOST_TRIES
from ivr.model import (
    LEFT_FOR_111,
    Band,
    Chose,
    Connect,
    DisconnectLeg,
    End,
    Entered,
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


def busy(after_s: float) -> Heard:
    return Heard(InputKind.LEG_FAILED, "busy", after_s)


TEAM = inline(
    "team",
    team={
        "action": "queue", "services": ["palliative", "clinician"], "hold_s": 60, "search_s": 20,
        "exits": {"failed": "dental"},
    },
    dental={"action": "connect", "services": ["dental"]},
)  # fmt: skip


@pytest.mark.parametrize(
    ("rang_s", "rung_for"),
    [
        pytest.param((20.0,), [20.0], id="unanswered in 20 s: nobody else is rung"),
        pytest.param((3.2,), [20.0, 16.0], id="busy after 3.2 s: the next rings for what is left, in whole seconds"),
        pytest.param((3.2, 5.5), [20.0, 16.0, 10.0], id="ten seconds are left: the least that anybody is rung"),
        pytest.param((3.2, 6.5), [20.0, 16.0], id="less than ten seconds are left"),
    ],
)
def test_all_that_are_rung_at_a_node_ring_within_one_time(rang_s: tuple[float, ...], rung_for: list[float]) -> None:
    player = Player(TEAM)
    player.world = World(free=frozenset({"palliative"}))
    for seconds in rang_s:
        player.give(busy(seconds))

    rung = [each.ring_s for each in player.instructions if isinstance(each, Connect) and each.target == "palliative"]
    assert rung == rung_for
    if len(rung_for) == len(rang_s):
        assert player.session.node == "default_111", "dental has nobody, and the team no time left"


def test_what_a_leg_takes_beyond_its_ringing_is_none_of_the_time_of_the_others() -> None:
    player = Player(TEAM)
    player.world = World(free=frozenset({"palliative"}))
    player.give(busy(3.2)).give(busy(28.0))
    assert player.session.counts["team.searched_s"] == 20

    player = Player(FLOW)
    for _ in range(MOST_TRIES):
        player.give(Heard(InputKind.LEG_FAILED, "no_answer", 32.0))
    assert player.dialled == (*["clinician"] * MOST_TRIES, "dental")


def test_hold_of_a_team_is_one_time_too_and_that_of_111_is_not() -> None:
    player = Player(TEAM, NOBODY).give(Heard(InputKind.OFFERED, "clinician", 40.0)).give(busy(1.0))
    assert isinstance(player.session.wait, OfferWait)
    assert player.session.wait.hold_s == 20.0

    player = Player(FLOW, NOBODY).give(Heard(InputKind.OFFERED, "clinician", 40.0)).give(busy(1.0))
    assert isinstance(player.session.wait, OfferWait)
    assert player.session.wait.hold_s == 60.0


@pytest.mark.parametrize("rung", [False, True], ids=["on hold", "while somebody is rung"])
def test_key_0_leads_from_a_team_to_111(rung: bool) -> None:
    player = Player(TEAM, NOBODY)
    if rung:
        player.give(Heard(InputKind.OFFERED, "clinician"))
        assert player.instructions[-1] == Connect("clinician", 20.0, may_leave=True)
        player.give(Heard(InputKind.LEG_FAILED, LEFT_FOR_111, 2.0))
    else:
        player.play("1").play("0")

    assert player.happenings[-2:] == [Chose("team", "person", "key"), Entered("default_111")]
    assert player.session.wait == OfferWait("default_111", ("111",), Band.NORMAL, 900.0, 900.0)


def test_key_0_ends_no_search_for_111() -> None:
    player = Player(FLOW, NOBODY)
    before = player.session
    assert player.play("0").session == before

    player.give(Heard(InputKind.OFFERED, "clinician")).give(Heard(InputKind.LEG_FAILED, LEFT_FOR_111))
    assert player.session.node == "queue", "a network that says so all the same: the next is tried"


def test_who_is_cut_off_and_comes_back_is_sought_for_the_whole_time_again() -> None:
    player = Player(TEAM, NOBODY).give(Heard(InputKind.OFFERED, "clinician", 50.0)).give(busy(8.0))
    again = engine.come_back(TEAM, player.session)

    assert again.wait == OfferWait("team", ("palliative", "clinician"), Band.RAISED, 60.0, 60.0)


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
