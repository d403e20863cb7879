"""Golden calls of the London flow: what callers do, and where they come out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from flows.player import Player, World, london
from ivr.model import Answered, Band, HandBack, OfferWait, Play, TalkWait

FLOW = london()
HELLO = ("emergency_999", "recording_notice", "main_menu")
HANDLER = (*HELLO, "hold_111")
ADJUSTED = (*HELLO, "en_slow/main_menu_short")
PHARMACY = (*HELLO, "pharmacy_who_should_stay", "pharmacy_advice", "pharmacy_safety_net", "after_pharmacy_advice")

NOBODY_KNOWN = World()
CRISIS_PLAN = World(plan=Answered("candidates", raises=True))
OTHER_PLAN = World(plan=Answered("candidates"))
REPEAT = World(repeat=Answered("RC", raises=True))
PERHAPS_REPEAT = World(repeat=Answered("PRC", raises=True))
STORES_DOWN = World(plan=Answered("unavailable"), repeat=Answered("ER"))


@dataclass(frozen=True)
class Call:
    """One row: the caller's steps, and the service, band and prompts that they end with."""

    name: str
    steps: str
    service: str
    band: Band = Band.NORMAL
    heard: tuple[str, ...] = HANDLER
    world: World = NOBODY_KNOWN


CALLS = (
    Call("says nothing", "silence", "111"),
    Call("presses 0", "0", "111"),
    Call("presses 1", "1", "111"),
    Call("presses 2", "2", "mental_health", Band.URGENT, HELLO),
    Call("presses 3", "3", "dental", heard=HELLO),
    Call("presses 4 and hears the advice, stays silent", "4; heard; silence", "111", heard=(*PHARMACY, "hold_111")),
    Call("presses 4 and asks for the pharmacist", "4; heard; 1", "pharmacy", heard=PHARMACY),
    Call("presses 4 and asks for 111", "4; heard; 2", "111", heard=(*PHARMACY, "hold_111")),
    Call("presses 4, then 0", "4; heard; 0", "111", heard=(*PHARMACY, "hold_111")),
    Call("presses 4, and 0 while the advice plays", "4; 0", "111", heard=(*PHARMACY[:-1], "hold_111")),
    Call("presses 4 and the network loses the prompt", "4; timer", "111", heard=(*PHARMACY[:-1], "hold_111")),
    Call("says tooth", "say tooth", "dental", heard=HELLO),
    Call("says crisis", "say crisis", "mental_health", Band.URGENT, HELLO),
    Call("says chemist after the advice", "say cough; heard; say chemist", "pharmacy", heard=PHARMACY),
    Call(
        "presses a key that means nothing, then 3", "9; 3", "dental",
        heard=(*HELLO, "not_understood", "main_menu"),
    ),
    Call(
        "is not understood three times", "say blah; 8; say blah", "111",
        heard=(*HELLO, "not_understood", "main_menu", "not_understood_again", "main_menu", "hold_111"),
    ),
    Call("is not understood, then says nothing", "8; silence", "111",
         heard=(*HELLO, "not_understood", "main_menu", "hold_111")),
    Call("asks for short, slow menus, presses 1", "7; 1", "111", heard=(*ADJUSTED, "en_slow/hold_111")),
    Call("asks for them in words, presses 2", "say slower; 2", "mental_health", Band.URGENT, ADJUSTED),
    Call("asks for them, is silent", "7; silence", "111", heard=(*ADJUSTED, "en_slow/hold_111")),
    Call("asks for them, and is not understood", "7; 7; 3", "dental",
         heard=(*ADJUSTED, "en_slow/not_understood", "en_slow/main_menu_short")),
    Call("asks for them, then for a person", "7; 0", "111", heard=(*ADJUSTED, "en_slow/hold_111")),
    Call("asks for them, and for Polish", "7; 6; 1", "111", Band.RAISED,
         (*ADJUSTED, "pl_slow/interpreter_menu_short", "pl_slow/hold_111")),
    Call("says that they cannot breathe", "say i can't breathe", "clinician", Band.EMERGENCY,
         (*HELLO, "red_flag_connecting")),
    Call("says that they want to die", "say i want to kill myself", "mental_health", Band.EMERGENCY,
         (*HELLO, "red_flag_connecting")),
    Call("says a red flag after the pharmacy advice", "4; heard; say i can't breathe", "clinician", Band.EMERGENCY,
         (*PHARMACY, "red_flag_connecting")),
    Call("has a crisis plan, presses 1", "1", "111", Band.RAISED, HANDLER, CRISIS_PLAN),
    Call("has a crisis plan, presses 2", "2", "mental_health", Band.URGENT, HELLO, CRISIS_PLAN),
    Call("has a crisis plan, presses 3: no diversion", "3", "111", Band.RAISED, HANDLER, CRISIS_PLAN),
    Call("has a crisis plan, presses 4: no message", "4", "111", Band.RAISED, HANDLER, CRISIS_PLAN),
    Call("has another plan, presses 3", "3", "dental", Band.NORMAL, HELLO, OTHER_PLAN),
    Call("is a repeat caller", "1", "clinician", Band.RAISED, HANDLER, REPEAT),
    Call("is a repeat caller with toothache", "3", "clinician", Band.RAISED, HANDLER, REPEAT),
    Call("is a repeat caller in a crisis", "2", "mental_health", Band.URGENT, HELLO, REPEAT),
    Call("may be a repeat caller, and is not asked", "1", "clinician", Band.RAISED, HANDLER, PERHAPS_REPEAT),
    Call("may be a repeat caller, has toothache: no diversion", "3", "clinician", Band.RAISED, HANDLER, PERHAPS_REPEAT),
    Call("may be a repeat caller, has flu: no message", "4", "clinician", Band.RAISED, HANDLER, PERHAPS_REPEAT),
    Call("may be a repeat caller, presses 0", "0", "111", Band.NORMAL, HANDLER, PERHAPS_REPEAT),
    Call("stores are down, presses 1", "1", "111", Band.RAISED, HANDLER, STORES_DOWN),
    Call("stores are down, presses 3: no diversion", "3", "111", Band.RAISED, HANDLER, STORES_DOWN),
    Call("stores are down, presses 4: no message", "4", "111", Band.RAISED, HANDLER, STORES_DOWN),
    Call("stores are down, presses 2", "2", "mental_health", Band.URGENT, HELLO, STORES_DOWN),
)  # fmt: skip


def came_out_at(player: Player) -> str:
    """The service whose line the caller is offered, or waits for."""
    wait = player.session.wait
    return wait.services[0] if isinstance(wait, OfferWait) else player.dialled[-1]


@pytest.mark.parametrize("call", [pytest.param(each, id=each.name) for each in CALLS])
def test_caller_comes_out_where_the_table_says(call: Call) -> None:
    player = Player(FLOW, call.world).play(*call.steps.split("; "))

    assert (came_out_at(player), player.session.band, player.heard) == (call.service, call.band, call.heard)

    player.play("answered")
    assert isinstance(player.session.wait, TalkWait)
    assert player.session.wait.target == call.service
    assert not player.ended_by_us


@pytest.mark.parametrize("service", ["dental", "pharmacy", "mental_health"])
def test_service_that_cannot_take_the_caller_returns_them_to_a_person(service: str) -> None:
    way_in = {"dental": ["3"], "pharmacy": ["4", "heard", "1"], "mental_health": ["2"]}[service]
    player = Player(FLOW, World(free=frozenset({"111"}))).play(*way_in)

    assert player.dialled == ("111",), "a closed service is not dialled, and no menu comes in between"


def test_busy_service_returns_the_caller_to_a_person_without_another_menu() -> None:
    player = Player(FLOW, World(free=frozenset({"dental"}))).play("3")
    player.world = World(free=frozenset({"111"}))

    assert player.play("busy").dialled == ("dental", "111")
    assert player.heard == HANDLER


def test_full_queue_holds_the_caller_and_then_connects() -> None:
    player = Player(FLOW, World(free=frozenset())).play("1")
    assert isinstance(player.session.wait, OfferWait)
    assert player.session.wait.services == ("111",)

    player.world = World()
    player.play("taken_over")
    assert player.dialled == ("111",)


def test_queue_that_nobody_answers_ends_with_the_networks_own_fall_back() -> None:
    player = Player(FLOW, World(free=frozenset())).play("1", "timer", "timer")

    assert player.instructions[-1] == HandBack("default_service_unreachable")
    assert not player.ended_by_us


def test_emergency_words_come_first_and_cannot_be_pressed_away() -> None:
    first = next(each for each in Player(FLOW).instructions if isinstance(each, Play))
    assert first == Play(("emergency_999",), barge_in=False)


def test_talk_that_is_over_is_the_only_thing_that_ends_the_call() -> None:
    player = Player(FLOW).play("1", "answered")
    assert not player.ended_by_us
    assert player.play("talk_ended").ended_by_us
