"""A flow written out: the document names everything that a caller can meet, the diagram every node and way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callrouter.flows import load_prompts
from flows.exhaustive import PROMPT_S
from flows.generated import flow_of_seed, lengths_of
from flows.player import london
from ivr import engine, pieces
from ivr.actions.node import Node
from ivr.export.markdown import as_markdown
from ivr.export.mermaid import as_mermaid
from ivr.proof.graph import graph_of_nodes
from ivr.proof.lengths import estimate_lengths
from ivr.proof.prove import prove
from ivr.proof.report import report

TEXTS = load_prompts(Path(engine.__file__).parent / "prompts" / "en.yaml")
NODE = re.compile(r'n_\w+[\[({]+"[^"]*"[\])}]+')
ARROW = re.compile(r"n_\w+ -->(\|[^|\"]*\|)? n_\w+")


def heard(node: Node) -> set[str]:
    return {key for move in node.moves() for key in move.heard}


def test_document_holds_every_prompt_node_owner_and_the_version_to_be_signed() -> None:
    flow = london()
    document = as_markdown(report(prove(flow, estimate_lengths([TEXTS]))), {"en": TEXTS})

    for node_id, node in flow.nodes.items():
        assert f"### `{node_id}`" in document
        assert getattr(node, "clinical_owner", "") in document
        for key in ({*node.prompt_keys(), *heard(node)} & TEXTS.keys()) - pieces.EVERY:
            assert f"“{TEXTS[key]}”" in document, key
    assert document.count(f"`{flow.version}`") == 2
    assert "- if `stale or plan not in {asserted, confirmed}`: `first_free` (the first that holds)" in document
    assert "- band: urgent" in document
    assert "| Clinical safety officer |" in document


@pytest.mark.parametrize("seed", range(40))
def test_every_flow_can_be_written_out(seed: int) -> None:
    flow = flow_of_seed(seed)
    proof = prove(flow, lengths_of(flow, PROMPT_S))
    diagram = as_mermaid(flow).splitlines()
    graph = graph_of_nodes(flow)
    reached = graph.reach(graph.roots)

    assert diagram[0] == "flowchart TD"
    assert all(NODE.fullmatch(line.strip()) or ARROW.fullmatch(line.strip()) for line in diagram[1:])
    assert sum(1 for line in diagram if NODE.fullmatch(line.strip())) == len(reached)
    if proof.model is not None:
        assert as_markdown(report(proof), {"en": {}}).startswith("# Small")
