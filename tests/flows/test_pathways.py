"""Golden calls of the care-plan key: the four pathways, at every level to which a plan may have been checked."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from flows.player import EVERYBODY, Player, World, london
from ivr.model import (
    Answered,
    Band,
    Connect,
    Disclosed,
    Gather,
    GatherWait,
    Hold,
    LookupWait,
    Message,
    Needs,
    OfferWait,
    Play,
    PlaybackWait,
)

FLOW = london()
GIVEN = ("5", "04041950", "1")
READ_BACK = ("you_gave", "day_4", "month_4", "digit_1", "digit_9", "digit_5", "digit_0", "accept_or_again")
ASKED = ("emergency_999", "recording_notice", "main_menu", "ask_birth_date", *READ_BACK)
UNDISCLOSED = (*ASKED, "hold_111")
RAISES = {"end_of_life": True, "mental_health": True, "frailty": False, "multiple_sclerosis": False}
SERVICE = {
    "end_of_life": "palliative",
    "mental_health": "crisis",
    "frailty": "frailty",
    "multiple_sclerosis": "ms_nurse",
}
ASKS = ("end_of_life", "frailty", "multiple_sclerosis")


def world(pathway: str, level: str = "asserted", *, stale: bool = False, free: frozenset[str] = EVERYBODY) -> World:
    """A caller with a plan of this pathway, matched so far; crisis and end-of-life plans raise at any level."""
    raises = RAISES[pathway] and level not in ("none", "unavailable")
    checked = level in ("asserted", "confirmed")
    by_number = Answered("candidates" if checked else level, raises=raises)
    facts: dict[str, bool | str] = {"pathway": pathway, "stale": stale} if checked else {}
    born = Answered(level, raises=raises, facts=dict(facts))
    return World(by_number, free=free, others={"birth_date": born})


@dataclass(frozen=True)
class End:
    """Where a caller comes out, and what they heard after the read-back."""

    service: str
    band: Band
    heard: tuple[str, ...]


TEAM = ("team_ready", "team_choice")
ENDS = {
    ("end_of_life", "asserted"): End("palliative", Band.URGENT, (*TEAM, "hold_111")),
    ("mental_health", "asserted"): End("crisis", Band.URGENT, ("team_ready",)),
    ("frailty", "asserted"): End("frailty", Band.RAISED, ("team_ready", "en_slow/team_choice_short")),
    ("multiple_sclerosis", "asserted"): End("ms_nurse", Band.NORMAL, TEAM),
    ("end_of_life", "candidates"): End("111", Band.RAISED, ("hold_111",)),
    ("mental_health", "candidates"): End("111", Band.RAISED, ("hold_111",)),
    ("frailty", "candidates"): End("111", Band.NORMAL, ("hold_111",)),
    ("multiple_sclerosis", "candidates"): End("111", Band.NORMAL, ("hold_111",)),
}


def end_of(pathway: str, level: str) -> End:
    """Confirmed is as asserted; without a plan that is known everybody comes to 111, raised if nobody can tell."""
    level = {"confirmed": "asserted"}.get(level, level)
    band = Band.RAISED if level == "unavailable" else Band.NORMAL
    return ENDS.get((pathway, level), End("111", band, ("hold_111",)))


def came_out_at(player: Player) -> str:
    wait = player.session.wait
    return wait.services[0] if isinstance(wait, OfferWait) else player.dialled[-1]


@pytest.mark.parametrize("pathway", RAISES)
@pytest.mark.parametrize("level", ["none", "candidates", "asserted", "confirmed", "unavailable"])
def test_caller_comes_out_where_the_level_of_the_match_allows(pathway: str, level: str) -> None:
    player = Player(FLOW, world(pathway, level)).play(*GIVEN)
    if isinstance(player.session.wait, GatherWait):
        player.play("1")
    end = end_of(pathway, level)

    assert (came_out_at(player), player.session.band) == (end.service, end.band)
    assert player.heard == (*ASKED, *end.heard)
    assert any(isinstance(each, Disclosed) for each in player.happenings) is (level in ("asserted", "confirmed"))


@pytest.mark.parametrize("pathway", ASKS)
@pytest.mark.parametrize("level", ["none", "candidates", "asserted", "confirmed", "unavailable"])
def test_caller_who_needs_short_slow_menus_hears_them_to_the_end(pathway: str, level: str) -> None:
    player = Player(FLOW, world(pathway, level)).play("7", *GIVEN)
    asked = ("main_menu_short", "ask_birth_date_short", *READ_BACK)
    told = ("team_ready", "team_choice_short") if level in ("asserted", "confirmed") else ()
    said = tuple(f"en_slow/{key}" for key in (*asked, *told))

    assert player.heard[3 : 3 + len(said)] == said
    assert all(key.startswith("en_slow/") for key in player.heard[3:])


@pytest.mark.parametrize("pathway", RAISES)
def test_stale_plan_raises_and_never_takes_a_caller_away_from_111(pathway: str) -> None:
    player = Player(FLOW, world(pathway, stale=True)).play(*GIVEN)

    assert player.heard == UNDISCLOSED
    assert player.dialled == ("111",)
    assert player.session.band is (Band.RAISED if RAISES[pathway] else Band.NORMAL)
    assert not any(isinstance(each, Disclosed) for each in player.happenings)


@pytest.mark.parametrize("pathway", ASKS)
@pytest.mark.parametrize(("step", "service"), [("0", "111"), ("2", None), ("silence", None), ("timer", None)])
def test_111_is_one_key_or_silence_away_from_every_team(pathway: str, step: str, service: str | None) -> None:
    player = Player(FLOW, world(pathway, free=frozenset({"111"}))).play(*GIVEN, step)

    assert player.dialled == (service or "111",)


@pytest.mark.parametrize("steps", [("0",), ("5", "0"), ("5", "04041950", "0")])
def test_111_is_one_key_away_while_the_birth_date_is_asked(steps: tuple[str, ...]) -> None:
    assert Player(FLOW, world("frailty")).play(*steps).dialled == ("111",)


@pytest.mark.parametrize("pathway", RAISES)
def test_team_that_cannot_take_the_caller_is_followed_by_somebody_of_111_without_another_question(pathway: str) -> None:
    player = Player(FLOW, world(pathway, free=frozenset({"111"}))).play(*GIVEN)
    if isinstance(player.session.wait, GatherWait):
        player.play("1")
    if isinstance(player.session.wait, OfferWait):
        player.play("timer")

    assert player.dialled == ("111",)
    assert not isinstance(player.session.wait, GatherWait)


@pytest.mark.parametrize("pathway", ["frailty", "multiple_sclerosis"])
@pytest.mark.parametrize("hours", ["closed", "unknown"])
def test_team_that_is_not_there_is_not_spoken_of(pathway: str, hours: str) -> None:
    asserted = world(pathway)
    closed = World(asserted.plan, others={**asserted.others, "hours": Answered(hours)})

    assert Player(FLOW, closed).play(*GIVEN).heard == UNDISCLOSED


@pytest.mark.parametrize("pathway", RAISES)
def test_right_wrong_and_unknown_get_the_same_words_until_a_disclosure(pathway: str) -> None:
    heard = {
        level: Player(FLOW, world(pathway, level)).play(*GIVEN).heard[: len(ASKED)]
        for level in ("none", "candidates", "asserted", "unavailable")
    }

    assert set(heard.values()) == {ASKED}


def test_everybody_who_presses_the_key_is_asked_whoever_they_are() -> None:
    keys = {
        level: [
            each for each in Player(FLOW, world("frailty", level)).play("5").instructions if isinstance(each, Gather)
        ]
        for level in ("none", "candidates", "unavailable")
    }

    assert keys["none"] == keys["candidates"] == keys["unavailable"]
    assert keys["none"][-1] == Gather(8, False, 6.0, finish_on="#")


def test_what_was_keyed_stands_in_no_happening_and_its_read_back_is_marked() -> None:
    player = Player(FLOW, world("frailty", "none")).play(*GIVEN)

    assert "1950" not in repr(player.happenings)
    assert Play(READ_BACK, personal=True) in player.instructions


def test_birth_date_is_looked_up_once_for_each_time_it_was_accepted() -> None:
    asked: list[LookupWait] = []

    class Watching(World):
        def look_up(self, flow: object, wait: LookupWait) -> Answered:
            asked.append(wait)
            return super().look_up(flow, wait)  # type: ignore[arg-type]

    Player(FLOW, Watching()).play("5", "04041950", "2", "05041950", "1")

    assert [each.about for each in asked if each.what == "birth_date"] == ["1950-04-05"]


@pytest.mark.parametrize("steps", [("6", "1"), ("6", "silence"), ("6", "9", "9", "9")])
def test_polish_caller_comes_to_a_person_who_knows_that_an_interpreter_is_needed(steps: tuple[str, ...]) -> None:
    player = Player(FLOW, World(free=frozenset())).play(*steps)

    assert Needs("interpreter", "interpreter", "pl") in player.happenings
    assert player.session.band is Band.RAISED
    assert player.heard[3] == "pl/interpreter_menu"
    assert Hold(("pl/hold_111",)) in player.instructions


def test_polish_caller_in_a_crisis_is_put_through_at_once() -> None:
    assert Player(FLOW).play("6", "2").dialled == ("mental_health",)


def test_messages_are_for_who_chose_and_never_for_who_is_raised() -> None:
    messages = {"messages": Answered("1", messages=(Message("heat", ("m-heat",)),))}
    chose = Player(FLOW, World(others=messages)).play("1")
    assert isinstance(chose.session.wait, PlaybackWait)
    assert chose.heard[3:] == ("message_who_should_stay", "m-heat", "message_safety_net")

    raised = Player(FLOW, World(Answered("candidates", raises=True), others=messages)).play("1")
    silent = Player(FLOW, World(others=messages)).play("silence")
    assert "m-heat" not in (*raised.heard, *silent.heard)
    assert isinstance(raised.instructions[-1], Connect)
