"""Say: prompts, and messages that tell callers where else to go."""

from __future__ import annotations

from typing import Any

import pytest
from flows.player import Player, inline

from ivr.errors import FlowDefect
from ivr.model import Band, Marked, PlaybackWait

MESSAGE: dict[str, Any] = {
    "action": "say",
    "marker": "pharmacy",
    "who_should_stay": "stay_if",
    "prompts": ["advice"],
    "safety_net": "call_again",
    "clinical_owner": "Clinical lead",
    "exits": {"next": "person"},
}
PERSON = {"action": "queue", "services": ["clinician"], "hold_s": 60}


def raised(band: str) -> Player:
    return Player(
        inline(
            "raise",
            **{"raise": {"action": "set", "band": band, "exits": {"next": "message"}}},
            message=MESSAGE,
            person=PERSON,
        )
    )


def test_prompts_without_a_marker_are_played_on_the_way() -> None:
    player = Player(
        inline("hello", hello={"action": "say", "prompts": ["a", "b"], "exits": {"next": "person"}}, person=PERSON)
    )

    assert player.heard == ("a", "b")
    assert player.dialled == ("clinician",)


def test_message_says_who_should_stay_first_and_the_safety_net_last() -> None:
    assert Player(inline("message", message=MESSAGE, person=PERSON)).heard == ("stay_if", "advice", "call_again")


def test_message_counts_as_heard_only_at_its_marker() -> None:
    player = Player(inline("message", message=MESSAGE, person=PERSON))
    assert isinstance(player.session.wait, PlaybackWait)
    assert not any(isinstance(each, Marked) for each in player.happenings)

    player.play("heard")
    assert Marked("message", "pharmacy") in player.happenings
    assert player.dialled == ("clinician",)


def test_key_0_stops_the_message_and_leads_to_111() -> None:
    player = Player(inline("message", message=MESSAGE, person=PERSON)).play("1", "0")

    assert "stop_playing" in [each.kind for each in player.instructions]
    assert player.dialled == ("111",)
    assert not any(isinstance(each, Marked) for each in player.happenings)


@pytest.mark.parametrize("band", ["raised", "urgent", "emergency"])
def test_raised_caller_never_hears_a_message_that_sends_people_away(band: str) -> None:
    player = raised(band)

    assert player.heard == ("hold_111",)
    assert player.dialled == ("111",)


def test_normal_caller_hears_it() -> None:
    assert raised(Band.NORMAL).heard == ("stay_if", "advice", "call_again")


@pytest.mark.parametrize("missing", ["who_should_stay", "safety_net", "clinical_owner"])
def test_message_must_name_all_that_safety_asks_for(missing: str) -> None:
    incomplete = {name: value for name, value in MESSAGE.items() if name != missing}

    with pytest.raises(FlowDefect, match=r"nodes\.message: .*safety_net"):
        inline("message", message=incomplete, person=PERSON)
