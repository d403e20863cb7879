"""The engine's limits: a flow that runs wild is a failed session that goes to a person, never a hang."""

from __future__ import annotations

from typing import Any

import pytest
from flows.player import Player, World, inline, london
from msgspec.structs import replace

from ivr import engine
from ivr.flow import read_flow
from ivr.model import MAX_SESSION, MAX_STEPS, Answered, Failed, HandBack, Heard, InputKind, OfferWait, written

SAY = {"action": "say", "prompts": ["again"]}


def chain(length: int) -> dict[str, Any]:
    links = {f"n{i}": {**SAY, "exits": {"next": f"n{i + 1}"}} for i in range(length)}
    return {**links, f"n{length}": {"action": "queue", "services": ["dental"], "hold_s": 60}}


MENU_ROUND = inline(
    "menu",
    menu={"action": "menu", "prompts": ["menu"], "keys": {"1": "again"}, "exits": {"again": "back"}},
    back={**SAY, "exits": {"next": "menu"}},
)


def failed_as(player: Player) -> list[str]:
    return [each.error_id for each in player.happenings if isinstance(each, Failed)]


def test_sprint_of_the_longest_allowed_length_is_played() -> None:
    player = Player(inline("n0", **chain(MAX_STEPS - 1)))

    assert failed_as(player) == []
    assert player.dialled == ("dental",)


def test_sprint_that_is_too_long_goes_to_111() -> None:
    player = Player(inline("n0", **chain(MAX_STEPS)))

    assert failed_as(player) == ["sprint_too_long"]
    assert player.dialled == ("111",)


def test_node_that_leads_to_itself_goes_to_111_and_is_not_heard_over_and_over() -> None:
    player = Player(inline("round", round={**SAY, "exits": {"next": "round"}}))

    assert failed_as(player) == ["too_many_visits"]
    assert player.dialled == ("111",)
    assert player.heard == ("again", "hold_111"), "what a loop piled up is not played to the caller"


def test_caller_who_goes_round_a_menu_comes_to_111() -> None:
    player = Player(MENU_ROUND)
    for _ in range(60):
        player.play("1")

    assert failed_as(player) == ["too_many_visits"]
    assert player.dialled == ("111",)


def test_session_that_grows_too_large_goes_to_111_and_is_small_again() -> None:
    prompts = [f"{'p' * 80}{n}" for n in range(MAX_SESSION // 80)]
    flow = inline(
        "menu",
        menu={"action": "menu", "prompts": ["menu"], "keys": {"1": "on"}, "exits": {"on": "long"}},
        long={"action": "say", "prompts": prompts, "exits": {"next": "last"}},
        last={"action": "queue", "services": ["dental"], "hold_s": 60},
    )
    player = Player(flow, World(free=frozenset())).play("1")

    assert failed_as(player) == ["session_too_large"]
    assert isinstance(player.session.wait, OfferWait)
    assert player.session.wait.services == ("111",)
    assert len(written(player.session)) < MAX_SESSION


def test_exit_that_leads_nowhere_goes_to_111() -> None:
    player = Player(inline("hello", hello={**SAY, "exits": {"next": "no_such_node"}}))

    assert failed_as(player) == ["missing_node"]
    assert player.dialled == ("111",)


def test_node_that_the_flow_no_longer_has_goes_to_111() -> None:
    session = replace(Player(MENU_ROUND).session, node="gone")
    sprint = engine.resume(MENU_ROUND, session, Heard(InputKind.DIGIT, "1"))

    assert Failed("gone", "missing_node") in sprint.happenings
    assert isinstance(sprint.wait, OfferWait)


@pytest.mark.parametrize("where", ["default_111", "fall_back"])
def test_default_service_that_fails_itself_is_left_to_the_network(where: str) -> None:
    session = replace(Player(MENU_ROUND).session, node=where)

    assert HandBack("default_service_unreachable") in engine.fail(MENU_ROUND, session, "any").instructions


def test_failed_session_may_still_visit_the_default_service_often() -> None:
    player = Player(MENU_ROUND, World(free=frozenset()))
    for _ in range(60):
        player.play("1")
    player.play("timer")

    assert player.instructions[-1] == HandBack("default_service_unreachable")


def test_who_rings_back_before_the_second_question_of_two_is_not_hung_up_on_by_one_key() -> None:
    ask = {"action": "menu", "prompts": ["q"], "keys": {"1": "yes"}}
    nodes = {
        "first": {**ask, "exits": {"yes": "second"}}, "second": {**ask, "exits": {"yes": "bye"}},
        "bye": {"action": "hang_up"},
    }  # fmt: skip
    flow = read_flow({"flow": "ends", "title": "Ends", "start": "first", "nodes": nodes})
    player = Player(flow).play("1")
    assert player.session.node == "second"

    assert engine.come_back(flow, player.session).session.node == "default_111"
    assert engine.come_back(flow, engine.start(flow).session).session.node == "first"


def test_asserted_plan_is_not_carried_over_to_who_rings_back() -> None:
    flow = london()
    asserted = Answered("asserted", facts={"pathway": "frailty", "stale": False})
    player = Player(flow, World(others={"birth_date": asserted})).play("5", "04041950", "1")
    assert player.session.facts["plan"] == "asserted"
    back = engine.come_back(flow, player.session)

    assert back.session.node == "default_111"
    assert (back.session.facts["plan"], back.session.facts["pathway"]) == (None, None)
    assert "team_choice" not in repr(back.instructions)
