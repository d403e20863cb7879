"""Questions: help, yes or no, free words, and numbers, dates and postcodes that are read back."""

from __future__ import annotations

from typing import Any

import pytest
from flows.player import Player, inline

from ivr.errors import FlowDefect
from ivr.model import Chose, Gather, Missed, Play

PERSON = {"action": "queue", "services": ["clinician"], "hold_s": 60}
DATE: dict[str, Any] = {"action": "ask_date", "prompts": ["when_born"], "into": "born", "exits": {"next": "person"}}
FACTS = {"born": {"type": "date"}, "age": {"type": "number"}, "where": {"type": "text"}, "minor": {"type": "bool"}}
BORN = ("you_gave", "day_4", "month_4", "digit_1", "digit_9", "digit_5", "digit_0", "accept_or_again")


def call(node: dict[str, Any]) -> Player:
    return Player(inline("it", FACTS, it=node, person=PERSON))


def test_several_keys_are_taken_until_all_are_there_or_the_last_key_is_pressed() -> None:
    assert call(DATE).instructions[-2:] == [Play(("when_born",)), Gather(8, True, 5.0, finish_on="#")]


@pytest.mark.parametrize("given", ["04041950", "say the fourth of april nineteen fifty", "say 4 April 1950"])
def test_date_is_read_back_from_pieces_and_counts_when_key_1_accepts_it(given: str) -> None:
    player = call(DATE).play(given)
    assert Play(BORN, personal=True) in player.instructions
    assert player.session.facts["born"] is None, "not before it was accepted"

    player.play("1")
    assert player.session.facts["born"] == "1950-04-04"
    assert player.dialled == ("clinician",)


def test_what_was_given_stands_in_no_happening() -> None:
    player = call(DATE).play("04041950", "1")

    assert "1950" not in repr(player.happenings)
    assert Chose("it", "accepted", "key") in player.happenings


def test_date_may_be_given_again_once() -> None:
    player = call(DATE).play("04041950", "2", "05041950", "1")
    assert player.session.facts["born"] == "1950-04-05"

    player = call(DATE).play("04041950", "2", "05041950", "2")
    assert player.session.facts["born"] is None
    assert player.dialled == ("111",)


@pytest.mark.parametrize("given", ["31041950", "0404195", "*", "say yesterday", "01011700"])
def test_day_that_is_none_is_asked_for_once_more_then_a_person(given: str) -> None:
    player = call(DATE).play(given)
    assert player.heard == ("when_born", "when_born")

    assert player.play(given).dialled == ("111",)


@pytest.mark.parametrize(
    "steps", [["0"], ["04041950", "0"], ["silence"], ["04041950", "silence"], ["04041950", "timer"]]
)
def test_key_0_and_silence_lead_to_a_person_from_both_questions(steps: list[str]) -> None:
    assert call(DATE).play(*steps).dialled == ("111",)


def test_other_key_has_it_read_back_again() -> None:
    player = call(DATE).play("04041950", "7")

    assert player.heard == ("when_born", *BORN, *BORN)
    assert player.play("1").session.facts["born"] == "1950-04-04"


def test_red_flag_is_heard_where_a_date_is_asked() -> None:
    assert call(DATE).play("say i can't breathe").heard[-1] == "red_flag_connecting"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("12345", "12345"), ("say one double two oh", "1220"), ("say 42", "42"), ("1", None), ("say about ten", None)],
)
def test_number_has_as_many_digits_as_declared(given: str, kept: str | None) -> None:
    number = {"action": "ask_number", "prompts": ["how_old"], "into": "age", "least": 2, "most": 6}
    player = call({**number, "exits": {"next": "person"}}).play(given)

    assert player.play("1").session.facts["age"] == kept


@pytest.mark.parametrize(("said", "kept"), [("NW1 2AB", "NW1 2AB"), ("n w one two a b", "NW1 2AB"), ("London", None)])
def test_postcode_is_said_and_read_back_by_letters(said: str, kept: str | None) -> None:
    postcode = {"action": "ask_postcode", "prompts": ["which_postcode"], "into": "where", "exits": {"next": "person"}}
    player = call(postcode).play(f"say {said}")
    if kept:
        assert player.heard[2:8] == ("letter_n", "letter_w", "digit_1", "digit_2", "letter_a", "letter_b")

    assert player.play("1").session.facts["where"] == kept


@pytest.mark.parametrize(
    ("steps", "service", "kept"),
    [
        (["1"], "dental", True),
        (["2"], "clinician", False),
        (["say yeah"], "dental", True),
        (["say nope"], "clinician", False),
        (["5", "1"], "dental", True),
        (["silence"], "111", None),
        (["0"], "111", None),
    ],
)
def test_yes_or_no(steps: list[str], service: str, kept: bool | None) -> None:
    ask = {"action": "ask_yes_no", "prompts": ["minor"], "into": "minor", "exits": {"yes": "dental", "no": "person"}}
    dental = {"action": "queue", "services": ["dental"], "hold_s": 60}
    player = Player(inline("it", FACTS, it=ask, person=PERSON, dental=dental)).play(*steps)

    assert player.dialled == (service,)
    assert player.session.facts["minor"] is kept


@pytest.mark.parametrize(("given", "kept"), [("123", "123"), ("say my chest feels odd", "my chest feels odd")])
def test_gather_keeps_what_was_given_for_the_person(given: str, kept: str) -> None:
    ask = {
        "action": "gather",
        "prompts": ["why"],
        "into": "where",
        "digits": 4,
        "speech": True,
        "exits": {"next": "person"},
    }
    player = call(ask).play(given)

    assert player.session.facts["where"] == kept
    assert player.dialled == ("clinician",)
    assert kept not in repr(player.happenings)


def test_gather_that_takes_nothing_is_refused() -> None:
    with pytest.raises(FlowDefect, match="digits, speech, or both"):
        call({"action": "gather", "prompts": ["why"], "into": "where", "exits": {"next": "person"}})


MENU: dict[str, Any] = {
    "action": "menu", "prompts": ["menu"], "short_prompts": ["brief"], "keys": {"1": "go"}, "help_key": "*",
    "help_prompts": ["help"], "no_match": {"limit": 1, "prompts": ["sorry"]}, "exits": {"go": "person"},
}  # fmt: skip


def test_help_is_given_twice_and_then_not_understood() -> None:
    player = call(MENU).play("*", "*")
    assert player.heard == ("menu", "help", "menu", "help", "menu")

    player.play("*")
    assert player.heard[5:] == ("sorry", "menu")
    assert [each.what for each in player.happenings if isinstance(each, Missed)] == ["help", "help", "no_match"]


def test_help_has_key_and_prompts_or_neither() -> None:
    with pytest.raises(FlowDefect, match="go together"):
        call({**MENU, "help_prompts": []})


def test_caller_who_needs_short_menus_hears_them() -> None:
    need = {"action": "set", "facts": {"short_menus": True}, "exits": {"next": "it"}}
    player = Player(inline("need", {"short_menus": {"type": "bool"}}, need=need, it=MENU, person=PERSON))

    assert player.heard == ("brief",)
