"""docs/flows.md is true: its examples are nodes that the engine reads, and it shows every action."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, get_args

import pytest
from flows.exhaustive import Explorer

from callrouter.dispatch.providers import read_providers
from callrouter.flows import load_part, load_prompts
from infra.yamlfile import read_yaml
from ivr.actions.lookup import OUTCOMES
from ivr.check import World, check
from ivr.export.part import leaves
from ivr.flow import AnyNode, Flow, read_flow

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/flows.md").read_text(encoding="utf-8")


def as_read(block: str) -> dict[str, Any]:
    """As the file of a flow is read: ``yes`` and ``no`` are words."""
    with NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(block)
        file.flush()
        data: dict[str, Any] = read_yaml(Path(file.name)).data
        return data


BLOCKS = [as_read(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
FACTS: dict[str, Any] = {
    "plan": {"values": ["none", "candidates", "asserted", "confirmed", "unavailable"]},
    "born": {"type": "date"}, "minor": {"type": "bool"}, "digits": {"type": "number"},
    "where": {"type": "text"}, "words": {"type": "text"},
    "pathway": {"values": ["none", "frailty", "mental_health", "multiple_sclerosis", "end_of_life", "other"]},
    "stale": {"type": "bool"},
    "area": {"values": [*OUTCOMES["area"]]}, "repeat": {"values": [*OUTCOMES["repeat"]]},
    "hours": {"values": [*OUTCOMES["hours"]]}, "state": {"values": [*OUTCOMES["service_state"]]},
}  # fmt: skip


def nodes() -> dict[str, Any]:
    """Every node that the page shows."""
    shown = {name: node for block in BLOCKS if "flow" not in block for name, node in block.items()}
    return {**shown, "handler": {"action": "queue", "services": ["111"], "hold_s": 900}}


def as_flow() -> Flow:
    here = {name: node for name, node in nodes().items() if node["action"] != "subflow"}
    return read_flow({"flow": "docs", "title": "Docs", "start": "say", "facts": FACTS, "nodes": here})


def test_the_first_example_is_a_flow() -> None:
    assert read_flow(BLOCKS[0]).languages == ("en", "pl")


def test_every_example_is_read_and_leads_somewhere() -> None:
    flow = as_flow()
    for name, node in flow.nodes.items():
        assert not list(node.defects(flow.facts)), name
        for target in node.exits.values():
            assert flow.node(target) is not None, f"{name} leads to {target}"


INNER = {"pharmacy_line": "offer", "really": "finish", "bye": "finish"}
"""Examples that callers come to from another one, by their own choice."""

WORLD = World(
    frozenset(load_prompts(ROOT / "ivr/prompts/en.yaml")) | {"chime"},
    frozenset(read_providers(ROOT / "callrouter/providers.yaml").services),
    carried_out=frozenset({"text", "call_back"}),
    texts=frozenset({"sore_throat"}),
)
HELLO = {"action": "say", "prompts": ["emergency_999", "recording_notice"], "barge_in": False}
MOST_PLACES = 200


def whole_flow_of(name: str) -> Flow:
    """The example behind the first words, with the others that it leads to."""
    shown = nodes()
    ahead, found = [name, "handler"], dict[str, Any]()
    while ahead:
        if (here := ahead.pop()) not in found:
            found[here] = shown[here]
            ahead += shown[here].get("exits", {}).values()
    hello = {**HELLO, "exits": {"next": name}}
    facts = {each: fact for each, fact in FACTS.items() if each in str(found)}
    return read_flow(
        {"flow": "docs", "title": "D", "start": "hello", "facts": facts, "nodes": {"hello": hello, **found}}
    )


@pytest.mark.parametrize("name", sorted(nodes().keys() - {"frailty"} - INNER.keys()))
def test_every_example_passes_the_check_and_is_played(name: str) -> None:
    flow = whole_flow_of(name)
    assert [str(each) for each in check(flow, WORLD) if each.rule != "unreachable"] == []
    played = Explorer(flow, most=MOST_PLACES)

    assert played.breaks <= {"unreachable"}
    assert name in played.entered
    assert {inner for inner, outer in INNER.items() if outer == name} <= set(flow.nodes)


def test_the_subflow_of_the_example_ships_and_leaves_as_it_says() -> None:
    example = nodes()["frailty"]
    part = load_part(ROOT / "ivr/flows" / example["file"], WORLD)

    assert part is not None
    assert set(leaves(part)) == set(example["exits"])


def test_every_action_is_shown() -> None:
    union = get_args(AnyNode)[0]
    actions = {get_args(each.model_fields["action"].annotation)[0] for each in get_args(union)}

    assert {node["action"] for node in nodes().values()} == actions | {"subflow"}


@pytest.mark.parametrize("language", ["", "pl/"])
def test_prompts_of_the_examples_are_there(language: str) -> None:
    texts = load_prompts(ROOT / "ivr/prompts/en.yaml")
    keys = {key for node in as_flow().nodes.values() for key in node.prompt_keys()} - {"chime"}

    assert {f"{language}{key}" for key in keys} <= texts.keys()


def test_languages_that_ship_have_the_same_keys() -> None:
    texts = load_prompts(ROOT / "ivr/prompts/en.yaml")
    polish = {key.removeprefix("pl/") for key in texts if key.startswith("pl/")}

    assert polish == {key for key in texts if "/" not in key}
