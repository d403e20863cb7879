"""What actions tell the check: their moves name every exit, and those that stay are counted."""

from __future__ import annotations

import pytest
from flows.player import inline, london

from ivr.actions.move import BAND, Cause, Move
from ivr.flow import ENGINE_NODES
from ivr.model import Band

MENU = {
    "action": "menu",
    "prompts": ["main_menu"],
    "keys": {"1": "stay"},
    "words": {"stay": ["stay"]},
    "no_input": {"limit": 2, "prompts": ["once", "twice"]},
    "exits": {"stay": "default_111"},
}
NODES = {**ENGINE_NODES, **london().nodes}


@pytest.mark.parametrize("name", NODES)
def test_moves_name_every_exit_that_the_node_may_take(name: str) -> None:
    node = NODES[name]
    told = {move.exit for move in node.moves() if move.exit}

    assert told - {"person", "red_flag"} == node.exit_names()


@pytest.mark.parametrize("name", NODES)
def test_moves_that_stay_are_counted(name: str) -> None:
    assert [move for move in NODES[name].moves() if not (move.exit or move.ends or move.limit)] == []


def test_menu_tells_each_asking_anew_with_what_is_said_before_it() -> None:
    silent = [move for move in _moves(MENU) if move.cause is Cause.SILENCE]

    assert [(move.exit, move.heard) for move in silent] == [
        (None, ("main_menu", "once")),
        (None, ("main_menu", "twice")),
        ("no_input", ("main_menu",)),
    ]


def test_message_is_for_callers_in_the_normal_band_alone() -> None:
    moves = {move.exit: move for move in london().nodes["pharmacy_advice"].moves()}

    assert {name for name, move in moves.items() if move.when and move.when({BAND: Band.RAISED})} == {"raised"}
    assert {name for name, move in moves.items() if move.when and move.when({BAND: Band.NORMAL})} == {
        "accepted", "declined", "person", "red_flag",
    }  # fmt: skip


def test_branch_takes_one_exit_for_each_value() -> None:
    branch = {"action": "branch", "fact": "plan", "exits": {"asserted": "default_111", "else": "default_111"}}
    moves = _moves(branch)

    for value, name in (("asserted", "asserted"), ("none", "else"), (None, "else")):
        assert [move.exit for move in moves if move.when and move.when({"plan": value})] == [name]


def _moves(node: dict[str, object]) -> tuple[Move, ...]:
    return inline("it", it=node).nodes["it"].moves()
