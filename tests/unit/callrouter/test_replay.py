"""Recorded calls through another version: carried by meaning, and never guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from call_world import House

from callrouter import events as ev
from callrouter.model import InputKind
from callrouter.publishing.content import Content, seal
from callrouter.replay.report import Compared, report
from callrouter.replay.service import Pair
from ivr.flow import read_flow
from tests.service import PROMPTS

Change = Callable[[dict[str, Any]], object]
CALLS: dict[str, list[tuple[InputKind, str]]] = {
    "dental by key": [(InputKind.DIGIT, "3")],
    "mental health by key": [(InputKind.DIGIT, "2")],
    "dental by word": [(InputKind.SPEECH_FINAL, "teeth")],
    "person": [(InputKind.DIGIT, "0")],
    "silent": [(InputKind.SILENCE, "")],
    "not understood, then medical": [(InputKind.DIGIT, "9"), (InputKind.DIGIT, "1")],
    "red flag": [(InputKind.SPEECH_FINAL, "i can't breathe")],
    "keys that mean nothing in an advice, then its offer": [
        (InputKind.DIGIT, "4"),
        (InputKind.DIGIT, "7"),
        (InputKind.DIGIT, "1"),
        (InputKind.PLAYBACK_FINISHED, ""),
        (InputKind.DIGIT, "1"),
    ],
    "hung up": [(InputKind.HUNG_UP, "caller")],
}


def london(house: House, change: Change | None = None) -> Content:
    """The house's flow, changed as plain data."""
    data = house.flow.model_dump(mode="json", by_alias=True)
    if change is not None:
        change(data)
    return seal(read_flow(data), {"en": PROMPTS}, {})


async def recorded(house: House, inputs: list[tuple[InputKind, str]]) -> list[ev.Recorded]:
    reply = await house.start()
    for kind, value in inputs:
        reply = await house.tell(kind, value, to=None if kind is InputKind.HUNG_UP else reply)
    return await house.recorded()


def menu(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["nodes"]["main_menu"]
    return found


def other_keys(data: dict[str, Any]) -> None:
    menu(data)["keys"] = {"7": "dental", "8": "medical", "3": "mental_health", "4": "flu"}


def other_names(data: dict[str, Any]) -> None:
    """Another id for the step and other names for the choices; what they mean is said."""
    node = data["nodes"].pop("main_menu")
    node["intent"] = "main_menu"
    node["keys"] = {"7": "teeth", "2": "mental_health", "1": "medical", "4": "flu"}
    node["words"]["teeth"] = node["words"].pop("dental")
    node["exits"]["teeth"] = node["exits"].pop("dental")
    node["intents"] = {"teeth": "dental"}
    data["nodes"]["front_menu"] = node
    for each in data["nodes"].values():
        each["exits"] = {k: "front_menu" if v == "main_menu" else v for k, v in each["exits"].items()}


def without_dental(data: dict[str, Any]) -> None:
    menu(data)["keys"].pop("3")
    menu(data)["words"].pop("dental")
    menu(data)["exits"].pop("dental")


def dental_to_mental_health(data: dict[str, Any]) -> None:
    menu(data)["exits"]["dental"] = menu(data)["exits"]["mental_health"]


def another_question(data: dict[str, Any]) -> None:
    to = menu(data)["exits"]["dental"]
    data["nodes"]["how_bad"] = {
        "action": "menu", "prompts": ["main_menu"], "keys": {"1": "bad", "2": "not_bad"},
        "exits": {"bad": to, "not_bad": to},
    }  # fmt: skip
    menu(data)["exits"]["dental"] = "how_bad"


def deaf(data: dict[str, Any]) -> None:
    menu(data)["words"] = {}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("change", [None, other_keys, other_names])
async def test_who_means_the_same_comes_to_the_same_place(house: House, name: str, change: Change | None) -> None:
    tape = await recorded(house, CALLS[name])
    found = Pair(london(house), london(house, change)).compare(tape)
    assert found.undetermined == ""
    assert found.then is not None
    assert found.now == found.then
    queued = [each.event for each in tape if isinstance(each.event, ev.Queued)]
    if queued:
        band = "" if queued[0].band == "normal" else f" ({queued[0].band})"
        assert found.then.where == " or ".join(queued[0].services) + band  # as it really was
    else:
        assert found.then.where == "hung up at main_menu"


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("dental by key", without_dental, "not offered: dental"),
        ("dental by word", without_dental, "not offered: dental"),
        ("dental by key", another_question, "never asked: how_bad"),
        ("red flag", deaf, "words are not taken any more: main_menu"),
    ],
)
async def test_what_the_recording_does_not_know_is_undetermined(
    house: House, name: str, change: Change, why: str
) -> None:
    found = Pair(london(house), london(house, change)).compare(await recorded(house, CALLS[name]))
    assert (found.now, found.undetermined) == (None, why)
    assert found.then is not None


async def test_who_would_go_elsewhere_is_told_with_both_places(house: House) -> None:
    found = Pair(london(house), london(house, dental_to_mental_health)).compare(
        await recorded(house, CALLS["dental by key"])
    )
    assert found.then is not None
    assert found.now is not None
    assert (found.then.where, found.now.where) == ("dental", "mental_health (urgent)")


async def test_longer_words_are_later_and_shorter_sooner(house: House) -> None:
    tape = await recorded(house, CALLS["dental by key"])
    draft = london(house, lambda data: menu(data).update(prompts=["main_menu", "main_menu"]))
    found = Pair(london(house), draft).compare(tape)
    assert found.then is not None
    assert found.now is not None
    assert found.now.where == found.then.where
    assert found.now.seconds > found.then.seconds + 5


async def test_the_report_counts_every_call_once_and_names_nobody(house: House) -> None:
    tape = await recorded(house, CALLS["red flag"])
    pairs = [Pair(london(house), london(house, change)) for change in (None, deaf, dental_to_mental_health)]
    found = report("abc", [*(pair.compare(tape) for pair in pairs), Compared(None, None, "lost")])
    assert (found.calls, found.same, found.elsewhere, found.unknown) == (4, 2, 0, 2)
    text = str(found.plain())
    assert "breath" not in text
    assert "07700" not in text
    assert "call" not in {each["why"] for each in found.plain()["undetermined_because"]}


async def test_a_call_that_goes_on_with_an_earlier_one_is_counted_with_that_one(house: House) -> None:
    await house.start()
    await house.tell(InputKind.HUNG_UP, "us lost")
    await house.start("again", key="again")
    found = Pair(london(house), london(house)).compare(await house.recorded("again"))
    assert found.undetermined == "the call went on with an earlier one"
