"""docs/safety/rules.md, 3 (plans: match levels and disclosure), sentence by sentence, as callers of London hear it."""

from __future__ import annotations

import pytest

from callrouter.flows import load_prompts
from callrouter.settings import Settings
from flows.player import Player, World, london
from ivr.actions.lookup import MOST_BIRTH_DATES
from ivr.model import Answered, Band, Disclosed, Gather, LookupWait

FLOW = london()
PROMPTS = load_prompts(Settings().prompts_file)
TELLING = frozenset(
    {"plan", "crisis", "hospice", "palliative", "mental", "frailty", "sclerosis", "end of life", "nurse"}
)
GIVEN = ("5", "04041950", "1")


def caller(level: str, by_number: str = "candidates", *, raises: bool = True) -> World:
    """A caller whose number says ``by_number``, and whose keyed date of birth says ``level``."""
    facts: dict[str, bool | str] = {"pathway": "mental_health", "stale": False} if level == "asserted" else {}
    return World(
        Answered(by_number, raises=raises and by_number == "candidates"),
        others={"birth_date": Answered(level, raises=raises and level in ("candidates", "asserted"), facts=facts)},
    )


KINDS = {
    "right": caller("asserted"),
    "wrong": caller("candidates"),
    "unknown": caller("none", "none"),
    "store away": caller("unavailable", "unavailable"),
}


def test_the_question_is_put_to_whoever_presses_the_key_that_all_hear() -> None:
    asked = {
        kind: [each for each in Player(FLOW, world).play("5").instructions if isinstance(each, Gather)]
        for kind, world in KINDS.items()
    }
    assert len({repr(each) for each in asked.values()}) == 1


def test_right_wrong_and_unknown_get_the_same_next_words_and_the_same_steps_until_a_disclosure() -> None:
    played = {kind: Player(FLOW, world).play(*GIVEN) for kind, world in KINDS.items()}
    shortest = min(len(player.heard) for player in played.values()) - 1  # the last is where they come out
    assert len({player.heard[:shortest] for player in played.values()}) == 1
    steps = {kind: [type(each).__name__ for each in player.instructions] for kind, player in played.items()}
    assert steps["wrong"] == steps["unknown"] == steps["store away"]
    common = steps["right"][: steps["wrong"].index("Play") + 1]
    assert steps["wrong"][: len(common)] == common


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("keys", [("1",), GIVEN], ids=["symptoms", "a date of birth"])
def test_before_assertion_what_the_caller_hears_is_what_they_would_hear_without(
    keys: tuple[str, ...], raises: bool
) -> None:
    """Keys 3 and 4 differ for who is raised: they hear nothing that diverts (docs/safety/rules.md, 2; hazard H14)."""
    with_plan = Player(FLOW, caller("candidates", raises=raises)).play(*keys)
    without = Player(FLOW, caller("none", "none")).play(*keys)
    assert with_plan.heard == without.heard
    assert (with_plan.session.band is Band.RAISED) is raises


def test_a_birth_date_is_looked_up_only_when_it_was_accepted_by_key() -> None:
    asked: list[LookupWait] = []

    class Watching(World):
        def look_up(self, flow: object, wait: LookupWait) -> Answered:
            asked.append(wait)
            return super().look_up(flow, wait)  # type: ignore[arg-type]

    Player(FLOW, Watching()).play("5", "04041950")
    assert not [each for each in asked if each.what == "birth_date"]


def test_two_tries_in_a_call_then_a_person() -> None:
    player = Player(FLOW, KINDS["right"]).play("5", "04041950", "2", "05041950", "2")
    assert player.heard.count("ask_birth_date") == 2
    assert player.heard[-1] == "hold_111"
    assert MOST_BIRTH_DATES == 2  # of a flow that asks more often, the engine looks up no more


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"right"}))
def test_without_assertion_no_disclose_node_is_reached(kind: str) -> None:
    player = Player(FLOW, KINDS[kind]).play(*GIVEN)
    assert not [each for each in player.happenings if isinstance(each, Disclosed)]


def test_after_assertion_a_disclose_node_acts_in_neutral_words() -> None:
    player = Player(FLOW, KINDS["right"]).play(*GIVEN)
    assert [each for each in player.happenings if isinstance(each, Disclosed)]
    said = set(player.heard) - set(Player(FLOW, KINDS["unknown"]).play(*GIVEN).heard)
    words = " ".join(spoken(key) for key in said).casefold()
    assert words
    assert not {each for each in TELLING if each in words}


def spoken(key: str) -> str:
    """The English words of a prompt."""
    return PROMPTS[key.removeprefix("en_slow/")]
