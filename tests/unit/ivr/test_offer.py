"""Offer and announce: what may send callers elsewhere, who never hears it, and how a text is sent."""

from __future__ import annotations

from typing import Any

import pytest
from flows.player import Player, World, inline

from ivr.errors import FlowDefect
from ivr.model import Answered, Band, Chose, Marked, Message, Play, PlaybackWait, StopPlaying, TextAsked

WHO: dict[str, Any] = {"who_should_stay": "stay_if", "safety_net": "call_again", "clinical_owner": "Clinical lead"}
SERVICE: dict[str, Any] = {
    "action": "offer", "kind": "service", "marker": "pharmacy", "prompts": ["advice"], "ask": ["want_it"],
    "words": ["chemist"], "exits": {"accepted": "pharmacy", "declined": "person"}, **WHO,
}  # fmt: skip
TEXT = {**SERVICE, "kind": "text", "text": "sore_throat", "exits": {"accepted": "person", "declined": "person"}}
ANNOUNCE = {"action": "announce", "exits": {"next": "person"}, **WHO}
PERSON = {"action": "queue", "services": ["clinician"], "hold_s": 60}
PHARMACY = {"action": "connect", "services": ["pharmacy"], "diverts": True}
TOLD = ("stay_if", "advice", "call_again")
OWN_NUMBER = ("your_number_ends_in", "digit_0", "digit_1", "digit_2", "digit_3", "confirm_number")


def call(node: dict[str, Any], world: World | None = None, band: str = "normal") -> Player:
    first = {"action": "set", "band": band, "exits": {"next": "it"}}
    return Player(inline("first", first=first, it=node, person=PERSON, pharmacy=PHARMACY), world)


@pytest.mark.parametrize(
    ("steps", "service"),
    [(["1"], "pharmacy"), (["say chemist"], "pharmacy"), (["silence"], "clinician"), (["2"], "clinician"),
     (["say no"], "clinician"), (["timer"], "clinician"), (["0"], "111")],
)  # fmt: skip
def test_service_is_for_those_who_want_it_after_they_heard_who_should_stay(steps: list[str], service: str) -> None:
    player = call(SERVICE).play("heard", *steps)

    assert player.heard[:4] == (*TOLD, "want_it")
    assert player.dialled == (service,)
    assert Marked("it", "pharmacy") in player.happenings


def test_message_counts_as_heard_only_at_its_marker_and_no_key_but_0_ends_it() -> None:
    player = call(SERVICE).play("1", "9")
    assert isinstance(player.session.wait, PlaybackWait)
    assert player.instructions[-1] == Play(TOLD, barge_in=False)

    player.play("0")
    assert StopPlaying() in player.instructions
    assert player.dialled == ("111",)
    assert not any(isinstance(each, Marked) for each in player.happenings)


@pytest.mark.parametrize("band", ["raised", "urgent", "emergency"])
@pytest.mark.parametrize("node", [SERVICE, TEXT, ANNOUNCE])
def test_raised_caller_never_hears_what_sends_people_away(node: dict[str, Any], band: str) -> None:
    player = call(node, World(others={"messages": Answered("some", messages=(Message("m", ("m-1",)),))}), band)

    assert player.heard == ("hold_111",)
    assert player.dialled == ("111",)


def test_self_care_without_a_question_is_never_an_end() -> None:
    care = {**SERVICE, "kind": "self_care", "ask": [], "words": [], "exits": {"declined": "person"}}
    player = call(care).play("heard")

    assert player.heard == TOLD
    assert player.dialled == ("clinician",)


@pytest.mark.parametrize("node", [SERVICE, TEXT])
def test_red_flag_in_words_that_answer_an_offer_escalates_and_the_check_is_told(node: dict[str, Any]) -> None:
    player = call(node).play("heard", "say i can't breathe")

    assert player.session.band is Band.EMERGENCY
    assert "red_flag" in {move.exit for move in player.flow.nodes["it"].moves()}


def test_text_is_sent_when_the_mobile_number_was_confirmed_by_key() -> None:
    player = call(TEXT).play("heard", "1")
    assert Play(OWN_NUMBER, personal=True) in player.instructions
    assert not any(isinstance(each, TextAsked) for each in player.happenings)

    player.play("1")
    assert player.happenings.count(TextAsked("it", "sore_throat")) == 1
    assert player.heard[-1] == "text_sent"
    assert player.dialled == ("clinician",)


def test_text_is_sent_once_in_a_call_whichever_offer_asks() -> None:
    first = {"action": "set", "band": "normal", "exits": {"next": "one"}}
    one = {**TEXT, "exits": {"accepted": "two", "declined": "person"}}
    player = Player(inline("first", first=first, one=one, two={**TEXT, "text": "flu"}, person=PERSON))
    player.play("heard", "1", "1", "heard", "1")

    assert [each for each in player.happenings if isinstance(each, TextAsked)] == [TextAsked("one", "sore_throat")]
    assert player.heard.count("text_sent") == 1
    assert player.heard[-1] == "text_not_possible"
    assert player.dialled == ("clinician",)


@pytest.mark.parametrize("steps", [["silence"], ["2"], ["timer"]])
def test_text_is_not_sent_to_a_number_that_was_not_confirmed(steps: list[str]) -> None:
    player = call(TEXT).play("heard", "1", *steps)

    assert not any(isinstance(each, TextAsked) for each in player.happenings)
    assert player.dialled == ("clinician",)


@pytest.mark.parametrize("line", [Answered("other", digits="0123"), Answered("none")])
def test_line_that_takes_no_text_is_told_so(line: Answered) -> None:
    player = call(TEXT, World(others={"number": line})).play("heard", "1")

    assert player.heard[-1] == "text_not_possible"
    assert player.dialled == ("clinician",)


@pytest.mark.parametrize("missing", ["who_should_stay", "safety_net", "clinical_owner"])
@pytest.mark.parametrize("node", [SERVICE, TEXT, ANNOUNCE])
def test_what_sends_callers_elsewhere_names_all_that_safety_asks_for(node: dict[str, Any], missing: str) -> None:
    with pytest.raises(FlowDefect, match=rf"nodes\.it\.{missing}: is needed"):
        call({name: value for name, value in node.items() if name != missing})


@pytest.mark.parametrize("wrong", [{"ask": []}, {"text": "x"}, {"kind": "text"}])
def test_offer_that_is_not_whole_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FlowDefect):
        call({**SERVICE, **wrong})


MESSAGES = World(
    others={"messages": Answered("some", messages=(Message("heat", ("m-heat",)), Message("flu", ("m-flu",))))}
)


def test_messages_are_heard_one_after_the_other_each_to_its_marker() -> None:
    player = call(ANNOUNCE, MESSAGES)
    assert player.heard == ("stay_if", "m-heat")
    player.play("heard")
    assert player.heard == ("stay_if", "m-heat", "stay_if", "m-flu", "call_again")
    player.play("heard")

    assert [each.marker for each in player.happenings if isinstance(each, Marked)] == ["heat", "flu"]
    assert player.dialled == ("clinician",)


def test_key_0_leaves_the_messages_for_a_person() -> None:
    player = call(ANNOUNCE, MESSAGES).play("heard", "0")

    assert player.dialled == ("111",)
    assert Chose("it", "person", "key") in player.happenings
    assert [each.marker for each in player.happenings if isinstance(each, Marked)] == ["heat"]


def test_without_messages_nothing_is_said() -> None:
    assert call(ANNOUNCE).heard == ()
