"""What the plan store found, as a flow hears of it."""

from __future__ import annotations

import pytest
from flows.player import Player, World, london

from callrouter.plans.pathways import as_found
from careplans.model import Match, MatchLevel
from ivr.model import Answered


@pytest.mark.parametrize("level", MatchLevel)
def test_flow_hears_the_level_as_a_word(level: MatchLevel) -> None:
    assert type(as_found(Match(level, "by_number")).outcome) is str


def test_condition_takes_a_member_of_an_enumeration_for_its_word() -> None:
    born = Answered(MatchLevel.ASSERTED, facts={"pathway": "mental_health", "stale": False})
    player = Player(london(), World(Answered(MatchLevel.CANDIDATES), others={"birth_date": born}))

    assert player.play("5", "04041950", "1").dialled == ("crisis",)
