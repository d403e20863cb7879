"""Subflows: written out in the place of their node, and every place still known by file and line."""

from __future__ import annotations

from typing import Any

import pytest
from flows.player import Player

from ivr.errors import FlowDefect
from ivr.flow import read_flow
from ivr.subflows import write_out

LEAF = {
    "flow": "leaf",
    "start": "greet",
    "facts": {"minor": {"type": "bool"}},
    "nodes": {
        "greet": {"action": "say", "prompts": ["greet"], "exits": {"next": "ask"}},
        "ask": {"action": "menu", "prompts": ["ask"], "keys": {"1": "back"}, "exits": {"back": "out.done"}},
    },
}
PERSON = {"action": "queue", "services": ["clinician"], "hold_s": 60}


def main(**leaf: Any) -> dict[str, Any]:
    node = {"action": "subflow", "file": "leaf.yaml", "exits": {"done": "person"}, **leaf}
    return {"flow": "main", "title": "Main", "start": "it", "nodes": {"it": node, "person": PERSON}}


def read(files: dict[str, Any]) -> Any:
    def reading(name: str, _of: str) -> tuple[str, Any]:
        if name not in files:
            raise FlowDefect([])
        return name, files[name]

    return reading


def test_subflow_plays_as_if_it_stood_there() -> None:
    written = write_out(main(), read({"leaf.yaml": LEAF}))
    player = Player(read_flow(written.data)).play("1")

    assert player.heard == ("greet", "ask")
    assert player.dialled == ("clinician",)
    assert written.locate(("nodes", "it.ask", "keys")) == ("leaf.yaml", ("nodes", "ask", "keys"))
    assert written.locate(("nodes", "person", "hold_s")) == ("", ("nodes", "person", "hold_s"))
    assert written.locate(("facts", "minor")) == ("leaf.yaml", ("facts", "minor"))


def test_subflow_in_a_subflow_is_written_out_with_both_names() -> None:
    middle = {
        "start": "inner",
        "nodes": {"inner": {"action": "subflow", "file": "leaf.yaml", "exits": {"done": "out.done"}}},
    }
    written = write_out(main(file="middle.yaml"), read({"leaf.yaml": LEAF, "middle.yaml": middle}))

    assert Player(read_flow(written.data)).play("1").dialled == ("clinician",)
    assert written.data["start"] == "it.inner.greet"
    assert written.locate(("nodes", "it.inner.ask")) == ("leaf.yaml", ("nodes", "ask"))


@pytest.mark.parametrize(
    ("node", "files", "says"),
    [
        ({}, {}, "nodes.it.file"),
        ({"file": 3}, {}, "names the file"),
        ({"exits": {}}, {"leaf.yaml": LEAF}, "no exit for done"),
        ({"prompts": ["x"]}, {"leaf.yaml": LEAF}, "nodes.it.prompts: there is no such field"),
        ({}, {"leaf.yaml": {"nodes": {}}}, "is no flow"),
        ({}, {"leaf.yaml": ["not a flow"]}, "is no flow"),
        ({}, {"leaf.yaml": {**LEAF, "nodes": {**LEAF["nodes"], "self": main()["nodes"]["it"]}}}, "holds itself"),
    ],
)
def test_subflow_that_cannot_be_is_refused(node: dict[str, Any], files: dict[str, Any], says: str) -> None:
    with pytest.raises(FlowDefect, match=says):
        write_out(main(**node), read(files))


def test_facts_of_one_name_are_one_fact() -> None:
    other = {**main(), "facts": {"minor": {"values": ["yes", "no"]}}}
    with pytest.raises(FlowDefect, match="minor is declared otherwise"):
        write_out(other, read({"leaf.yaml": LEAF}))


def test_name_with_a_dot_is_a_subflows() -> None:
    with pytest.raises(FlowDefect, match="reserved_name"):
        write_out({"start": "a.b", "nodes": {"a.b": PERSON}})


@pytest.mark.parametrize("data", [None, [], "x", {"nodes": []}, {}])
def test_what_is_no_flow_is_left_for_the_schema(data: Any) -> None:
    assert write_out(data).data == data
