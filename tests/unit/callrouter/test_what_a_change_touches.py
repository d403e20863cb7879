"""Which changes clinical safety must agree to: those of what lifts a caller's priority, over any number of steps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from callrouter.flows import load_flow
from callrouter.publishing.changes import touched
from callrouter.publishing.content import seal
from ivr.flow import read_flow
from tests.service import LONDON, PROMPTS

DATA: dict[str, Any] = load_flow(LONDON).model_dump(mode="json", by_alias=True)
Nodes = dict[str, Any]


def touches(change: Callable[[Nodes], None]) -> tuple[str, ...]:
    data = copy.deepcopy(DATA)
    change(data["nodes"])
    return touched(seal(read_flow(DATA), {"en": PROMPTS}, {}), seal(read_flow(data), {"en": PROMPTS}, {}))


def asks_twice(nodes: Nodes) -> None:
    nodes["find_plan"].update(what="repeat", into="repeat")


def no_repeats(nodes: Nodes) -> None:
    nodes["find_plan"]["exits"] = nodes["find_earlier_calls"]["exits"]
    del nodes["find_earlier_calls"]


def past_it_over_two_steps(nodes: Nodes) -> None:
    """The steps that lead there and there are nothing by themselves."""
    nodes["aside"] = {"action": "say", "prompts": ["hold_111"], "exits": {"next": "further"}}
    nodes["further"] = {"action": "say", "prompts": ["hold_111"], "exits": {"next": "any_queue"}}
    nodes["any_queue"] = {"action": "queue", "services": ["111"], "hold_s": 900, "hold_prompts": ["hold_111"]}
    nodes["reason_flu"]["exits"]["next"] = "aside"


@pytest.mark.parametrize("change", [asks_twice, no_repeats, past_it_over_two_steps])
def test_who_does_not_come_past_a_look_up_loses_priority(change: Callable[[Nodes], None]) -> None:
    assert "priority" in touches(change)


# a change of one step of the London front, and who guards it: exactly that
GUARDED: dict[str, Callable[[Nodes], None]] = {
    "announce": lambda nodes: nodes["messages"].update(safety_net="pharmacy_safety_net"),
    "offer": lambda nodes: nodes["pharmacy_advice"].update(ask=["pharmacy_advice"]),
    "offer, self_care": lambda nodes: nodes["pharmacy_advice"].update(kind="self_care"),
    "red_flag": lambda nodes: nodes["ask_birth_date"].update(speech=True),
    "priority": lambda nodes: nodes["clinician_or_111"].update(band="urgent"),
    "disclose": lambda nodes: nodes["frailty.disclose"].update(level="confirmed"),
    "first_words": lambda nodes: nodes["emergency_words"].update(prompts=["recording_notice", "emergency_999"]),
}


@pytest.mark.parametrize("kinds", GUARDED)
def test_each_step_that_clinical_safety_guards_is_touched_by_its_change(kinds: str) -> None:
    assert ", ".join(touches(GUARDED[kinds])) == kinds


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [("red_flag_connecting", "red_flag"), ("message_safety_net", "announce"), ("pharmacy_advice", "offer"),
     ("team_ready", "disclose"), ("emergency_999", "first_words")],
)  # fmt: skip
def test_other_words_in_a_guarded_step_touch_it(prompt: str, kind: str) -> None:
    old, new = (seal(read_flow(DATA), {"en": texts}, {}) for texts in (PROMPTS, {**PROMPTS, prompt: "Other words."}))

    assert kind in touched(old, new)


def test_a_change_of_what_everybody_hears_alike_touches_nothing() -> None:
    def aside(nodes: Nodes) -> None:
        nodes["aside"] = {"action": "say", "prompts": ["hold_111"], "exits": {"next": "find_plan"}}
        nodes["reason_flu"]["exits"]["next"] = "aside"

    assert touches(aside) == ()
    assert touches(lambda nodes: nodes["multiple_sclerosis.choose"].update(timeout_s=5)) == ()
    assert touches(lambda nodes: None) == ()
