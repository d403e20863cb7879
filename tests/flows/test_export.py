"""A flow written out: the document names everything that a caller can meet, the diagram every node and way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callrouter.flows import FlowFileError, load_part, load_prompts
from flows.exhaustive import PROMPT_S
from flows.generated import flow_of_seed, lengths_of
from flows.player import london
from ivr import engine, pieces
from ivr.actions.node import Node
from ivr.check import World
from ivr.export.markdown import as_markdown
from ivr.export.mermaid import as_mermaid
from ivr.export.part import part_as_markdown, with_exits
from ivr.proof.graph import graph_of_nodes
from ivr.proof.lengths import estimate_lengths
from ivr.proof.prove import prove
from ivr.proof.report import report
from tests.service import LONDON

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


PATHWAYS = sorted((Path(engine.__file__).parent / "flows/pathways").glob("*.yaml"))


@pytest.mark.parametrize("file", PATHWAYS, ids=lambda file: file.stem)
def test_a_subflow_alone_is_written_out_with_what_it_shares_and_where_it_leaves(file: Path) -> None:
    part = load_part(file, World(frozenset(TEXTS)))
    assert part is not None
    document = part_as_markdown(part, {"en": TEXTS})

    assert "Not proved alone" in document
    for name in part.nodes:
        assert f"### `{name}`" in document
    for name in part.facts:
        assert f"| `{name}` |" in document
    assert re.search(r"\| `to_111` \| .*\((connect|queue): failed\)", document)
    assert 'n_out__to_111[["out.to_111<br>leaves"]]' in as_mermaid(with_exits(part))


def test_a_whole_flow_is_no_part_and_a_part_with_a_defect_is_refused(tmp_path: Path) -> None:
    assert load_part(LONDON, World()) is None
    broken = tmp_path / "frailty.yaml"
    broken.write_text(PATHWAYS[1].read_text().replace("{next: is_open}", "{next: nowhere}"))
    with pytest.raises(FlowFileError, match=r"frailty.yaml:\d+: nodes.team_open.exits.next: leads to nowhere"):
        load_part(broken, World())
