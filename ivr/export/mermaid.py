"""A flow as a Mermaid diagram (flowchart): nodes by their action, moves by what the caller and the world do."""

from __future__ import annotations

from ivr.actions.move import Ending
from ivr.actions.node import PERSON
from ivr.flow import Flow
from ivr.proof.graph import Edge, Graph, graph_of_nodes

_SHAPES = {"person": ('(["', '"])'), "service": ('[["', '"]]'), "asked": ('{{"', '"}}'), "branch": ('{"', '"}')}
_PLAIN = ('["', '"]')
_MOST_WHAT = 3  # moves that one arrow names; the others are counted


def as_mermaid(flow: Flow) -> str:
    """The diagram as text."""
    graph = graph_of_nodes(flow)
    found = sorted(graph.reach(graph.roots))
    lines = ["flowchart TD"]
    lines += [f"    {_id(graph, state)}{_shape(flow, graph, state)}" for state in found]
    for state in found:
        arrows: dict[int, list[str]] = {}
        for edge in graph.out[state]:
            if edge.target is not None and edge.target != state:
                arrows.setdefault(edge.target, []).append(edge.move.what)
        only = len(arrows) == 1
        for target, what in arrows.items():
            said = "" if only else f"|{_text(_some(what))}|"
            lines.append(f"    {_id(graph, state)} -->{said} {_id(graph, target)}")
    return "\n".join(lines) + "\n"


def _id(graph: Graph, state: int) -> str:
    return "n_" + graph.names[state].replace(".", "__")  # a bare name may be a word of Mermaid's own, such as end


def _shape(flow: Flow, graph: Graph, state: int) -> str:
    name = graph.names[state]
    before, after = _SHAPES.get(_kind(graph.out[state]), _PLAIN)
    return f"{before}{_text(name)}<br>{_text(str(getattr(flow.node(name), 'action', '')))}{after}"


def _kind(edges: list[Edge]) -> str:
    ends = {edge.move.ends for edge in edges}
    if Ending.SERVICE in ends:
        return "service"
    if ends - {None}:
        return "person"
    if any(edge.move.when for edge in edges):
        return "branch"
    return "asked" if any(edge.move.exit == PERSON for edge in edges) else ""


def _some(what: list[str]) -> str:
    more = f" and {len(what) - _MOST_WHAT} more" if len(what) > _MOST_WHAT else ""
    return ", ".join(what[:_MOST_WHAT]) + more


def _text(text: str) -> str:
    """Mermaid's own marks as entities; the hash first, since entities begin with one."""
    for mark, entity in (("#", "#35;"), ('"', "#quot;"), ("|", "#124;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(mark, entity)
    return text
