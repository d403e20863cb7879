"""docs/flows.md is true: its examples are nodes that the engine reads, and it shows every action."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, get_args

import pytest

from callrouter.flows import load_prompts
from infra.yamlfile import read_yaml
from ivr.actions.lookup import OUTCOMES
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
    "area": {"values": [*OUTCOMES["area"]]},
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
