"""Call-back, survey, record, disclose, look-ups, interpreter: what each does to a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from flows.player import Player, World, inline

from ivr.actions.lookup import OUTCOMES
from ivr.errors import FlowDefect
from ivr.flow import Flow
from ivr.model import (
    Answered,
    Band,
    CallBackPromised,
    Connect,
    Disclosed,
    End,
    GoneWait,
    LookupWait,
    Message,
    Needs,
    OfferWait,
    Play,
    Record,
    Surveyed,
)

PLAN = ["none", "candidates", "asserted", "confirmed", "unavailable"]
PATHWAYS = ["none", "frailty", "mental_health", "multiple_sclerosis", "end_of_life", "other"]
FACTS: dict[str, Any] = {
    "plan": {"values": PLAN},
    "pathway": {"values": PATHWAYS},
    "stale": {"type": "bool"},
    "born": {"type": "date"},
    "hours": {"values": ["open", "closed", "unknown"]},
    "language": {"values": ["en", "pl"]},
    "where": {"type": "text"},
    "area": {"values": list(OUTCOMES["area"])},
    "state": {"values": list(OUTCOMES["service_state"])},
}
PERSON = {"action": "queue", "services": ["clinician"], "hold_s": 60}
TEAM = {"action": "connect", "services": ["dental"]}


@dataclass(frozen=True)
class Watched(World):
    """A world that keeps what it was asked."""

    asked: list[LookupWait] = field(default_factory=list)

    def look_up(self, flow: Flow, wait: LookupWait) -> Answered:
        self.asked.append(wait)
        return super().look_up(flow, wait)


def call(world: World | None = None, **nodes: dict[str, Any]) -> Player:
    return Player(inline(next(iter(nodes)), FACTS, **nodes, person=PERSON, team=TEAM), world)


CALL_BACK = {"action": "call_back", "prompts": ["ring_you"], "exits": {"next": "person"}}


def test_call_back_is_asked_for_at_the_number_that_was_confirmed_and_the_caller_keeps_waiting() -> None:
    player = call(it=CALL_BACK).play("1", "1")

    assert player.happenings.count(CallBackPromised("it", "111")) == 1
    assert player.heard[-1] == "call_back_promised"
    assert player.dialled == ("clinician",)
    assert not player.ended_by_us


@pytest.mark.parametrize("steps", [["silence"], ["2"], ["timer"], ["1", "silence"], ["1", "2"]])
def test_call_back_that_was_not_wanted_or_confirmed_is_none(steps: list[str]) -> None:
    player = call(it=CALL_BACK).play(*steps)

    assert not any(isinstance(each, CallBackPromised) for each in player.happenings)
    assert player.dialled == ("clinician",)


def test_who_cannot_be_called_back_is_not_asked() -> None:
    player = call(World(others={"possible": Answered("not_possible")}), it=CALL_BACK)

    assert player.heard == ()
    assert player.dialled == ("clinician",)


def test_call_that_cannot_be_promised_any_more_is_not_promised_and_the_caller_hears_so() -> None:
    player = call(World(others={"promise": Answered("not_possible")}), it=CALL_BACK).play("1", "1")

    assert player.heard[-1] == "call_back_not_possible"
    assert not any(isinstance(each, CallBackPromised) for each in player.happenings)
    assert player.dialled == ("clinician",)


def test_who_is_owed_a_call_already_is_put_first_and_not_asked_again() -> None:
    player = call(World(others={"possible": Answered("not_possible", raises=True)}), it=CALL_BACK)

    assert player.heard == ("hold_111",)
    assert player.session.band is Band.RAISED


def test_raised_caller_is_not_told_that_they_may_hang_up_and_be_called_back() -> None:
    look = {"action": "lookup", "what": "plan", "into": "plan", "exits": {"next": "it"}}
    player = call(World(plan=Answered("candidates", raises=True)), look=look, it=CALL_BACK)

    assert player.heard == ("hold_111",)
    assert player.dialled == ("111",)


@pytest.mark.parametrize(("key", "answers"), [("4", [4]), ("9", []), ("silence", []), ("*", [])])
def test_survey_counts_a_key_and_everybody_goes_on(key: str, answers: list[int]) -> None:
    survey = {"action": "survey", "question": "kind", "prompts": ["how_was_it"], "exits": {"next": "person"}}
    player = call(it=survey).play(key)

    assert [each.answer for each in player.happenings if isinstance(each, Surveyed)] == answers
    assert player.dialled == ("clinician",)
    assert not any(isinstance(each, End) for each in player.instructions)


def test_talk_is_recorded_from_its_start_after_a_record_node() -> None:
    player = call(it={"action": "record", "exits": {"next": "person"}})
    assert player.instructions[-2] == Record()
    assert isinstance(player.instructions[-1], Connect)

    assert Record() not in call(it={**TEAM}).instructions


DISCLOSE: dict[str, Any] = {
    "action": "disclose", "level": "asserted", "prompts": ["a_team"], "targets": ["dental"],
    "reason": "they may be put through sooner", "clinical_owner": "Lead", "exits": {"next": "team", "below": "person"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("level", "plan", "heard"),
    [("asserted", "asserted", True), ("asserted", "confirmed", True), ("confirmed", "confirmed", True),
     ("confirmed", "asserted", False), *(("asserted", plan, False) for plan in ("none", "candidates", "unavailable"))],
)  # fmt: skip
def test_disclosure_needs_the_level(level: str, plan: str, heard: bool) -> None:
    look = {"action": "lookup", "what": "plan", "into": "plan", "exits": {"next": "it"}}
    player = call(World(plan=Answered(plan)), look=look, it={**DISCLOSE, "level": level})

    assert (Play(("a_team",)) in player.instructions) is heard
    assert (Disclosed("it", plan) in player.happenings) is heard
    assert player.dialled == (("dental",) if heard else ("clinician",))


BIRTH_DATE: dict[str, Any] = {
    "action": "lookup", "what": "birth_date", "given": "born", "into": "plan",
    "also": {"pathway": "pathway", "stale": "stale"}, "exits": {"next": "person"},
}  # fmt: skip
ASK = {"action": "ask_date", "prompts": ["when_born"], "into": "born", "exits": {"next": "it"}}


def test_birth_date_is_asked_about_as_it_was_accepted_and_brings_what_is_known() -> None:
    found = Answered("asserted", raises=True, facts={"pathway": "end_of_life", "stale": True})
    player = call(World(others={"birth_date": found}), ask=ASK, it=BIRTH_DATE).play("04041950", "1")

    facts = player.session.facts
    assert (facts["plan"], facts["pathway"], facts["stale"]) == ("asserted", "end_of_life", True)
    assert player.session.band is Band.RAISED


@pytest.mark.parametrize("said", [{}, {"pathway": "astrology", "stale": "perhaps"}])
def test_what_the_answer_does_not_say_is_the_least(said: dict[str, Any]) -> None:
    player = call(World(others={"birth_date": Answered("none", facts=said)}), it=BIRTH_DATE)

    assert (player.session.facts["pathway"], player.session.facts["stale"]) == ("none", False)


def test_third_birth_date_of_a_call_is_not_looked_up() -> None:
    three = {name: {**BIRTH_DATE, "exits": {"next": then}} for name, then in (("a", "b"), ("b", "c"), ("c", "person"))}
    world = Watched()

    assert call(world, **three).dialled == ("clinician",)
    assert [each.node for each in world.asked] == ["a", "b"]


def test_hours_are_asked_of_a_service() -> None:
    hours = {"action": "lookup", "what": "hours", "service": "dental", "into": "hours", "exits": {"next": "person"}}

    assert call(World(others={"hours": Answered("closed")}), it=hours).session.facts["hours"] == "closed"


@pytest.mark.parametrize("state", OUTCOMES["service_state"])
def test_state_is_asked_of_a_service(state: str) -> None:
    look = {"action": "lookup", "what": "service_state", "service": "dental", "into": "state", "exits": {"next": "by"}}
    fork = {"action": "branch", "fact": "state", "exits": {"free": "team", "else": "person"}}
    world = Watched(others={"service_state": Answered(state)})
    player = call(world, it=look, by=fork)

    assert [(each.what, each.about) for each in world.asked] == [("service_state", "dental")]
    assert player.session.facts["state"] == state
    assert player.dialled == (("dental",) if state == "free" else ("clinician",))


AREA: dict[str, Any] = {"action": "lookup", "what": "area", "into": "area", "exits": {"next": "person"}}
KEYED = {"action": "gather", "prompts": ["where"], "digits": 3, "into": "where", "exits": {"next": "it"}}


def test_area_is_asked_by_what_the_caller_gave_or_else_by_the_numbers() -> None:
    found = {"area": Answered("north_central")}
    given, not_given = Watched(others=found), Watched(others=found)
    player = call(given, ask=KEYED, it={**AREA, "given": "where"}).play("123")

    assert player.session.facts["area"] == "north_central"
    assert call(not_given, it=AREA).session.facts["area"] == "north_central"
    assert [(each.what, each.about) for each in (*given.asked, *not_given.asked)] == [("area", "123"), ("area", "")]


def test_messages_are_asked_for_the_area_that_a_fact_names() -> None:
    announce = {
        "action": "announce", "service": "pharmacy", "area": "area", "who_should_stay": "stay", "safety_net": "net",
        "clinical_owner": "Lead", "exits": {"next": "person"},
    }  # fmt: skip
    heat = Answered("1", messages=(Message("heat", ("m-heat",)),))
    world = Watched(others={"area": Answered("south_east"), "messages": heat})
    player = call(world, look={**AREA, "exits": {"next": "it"}}, it=announce)

    asked = world.asked[-1]
    assert (asked.what, asked.about, asked.area) == ("messages", "pharmacy", "south_east")
    assert player.heard == ("stay", "m-heat", "net")
    assert player.play("heard").dialled == ("clinician",)


def _finish(then: str) -> dict[str, Any]:
    return {
        "action": "menu", "prompts": [f"to_{then}"], "keys": {"1": "finish"}, "no_input": {"limit": 0},
        "exits": {"finish": then, "no_input": "person"},
    }  # fmt: skip


FINISH = {"it": _finish("really"), "really": _finish("bye"), "bye": {"action": "hang_up", "prompts": ["net"]}}


def test_caller_who_chose_twice_by_key_is_hung_up_on_and_hears_what_to_do_if_it_gets_worse() -> None:
    player = call(**FINISH).play("1", "1")

    assert player.heard == ("to_really", "to_bye", "net")
    assert player.instructions[-2:] == [Play(("net",), barge_in=False), End("caller_chose")]
    assert player.session.wait == GoneWait("bye")
    assert player.dialled == ()


@pytest.mark.parametrize("steps", [["silence"], ["0"], ["1", "silence"], ["1", "0"]])
def test_caller_who_did_not_choose_it_twice_comes_to_a_person(steps: list[str]) -> None:
    player = call(**FINISH).play(*steps)

    assert not player.ended_by_us
    assert player.dialled == (("111",) if steps[-1] == "0" else ("clinician",))


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": "hours", "into": "hours"},
        {"what": "plan", "into": "plan", "service": "dental"},
        {"what": "birth_date", "into": "plan"},
        {"what": "plan", "into": "plan", "given": "born"},
        {"what": "plan", "into": "plan", "also": {"pathway": "pathway"}},
    ],
)
def test_look_up_that_asks_about_the_wrong_thing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FlowDefect):
        call(it={"action": "lookup", **wrong, "exits": {"next": "person"}})


def test_interpreter_leads_straight_to_a_person_who_is_told() -> None:
    player = call(it={"action": "set", "interpreter": "pl"})

    assert Needs("it", "interpreter", "pl") in player.happenings
    assert player.session.band is Band.RAISED
    assert player.dialled == ("111",)


def test_offer_wait_of_an_interpreter_caller_is_raised() -> None:
    player = call(World(free=frozenset()), it={"action": "set", "interpreter": "pl"})

    assert isinstance(player.session.wait, OfferWait)
    assert player.session.wait.band is Band.RAISED
