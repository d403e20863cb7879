"""Subflows: another flow's file in the place of one node, written out when a flow is read.

::

    ms:
      action: subflow
      file: pathways/multiple-sclerosis.yaml
      exits: {to_111: clinician_or_111}

The subflow's nodes become nodes of the flow, as ``ms.greeting``; its facts are the flow's. An exit in it that leads to
``out.to_111`` leaves by the exit ``to_111`` of the subflow's node. The engine and the check see one flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ivr.errors import Defect, FlowDefect

DEEPEST = 4  # subflows in one another: deeper, nobody follows a caller's way
OUT = "out."
_SUBFLOW_KEYS = {"action", "file", "exits", "note"}

Place = tuple[str, ...]
ReadFile = Callable[[str, str], tuple[str, Any]]
"""``read(file, of)``: the name and plain data of ``file``, as the file ``of`` calls it; raises :class:`FlowDefect`."""


@dataclass(frozen=True, slots=True)
class WrittenOut:
    """A flow without subflows, and where each of its nodes and facts stands: the file's name and its place there."""

    data: Any
    origins: Mapping[Place, tuple[str, Place]]

    def locate(self, where: Place) -> tuple[str, Place]:
        """File and place of something in the flow; the first file is called the empty text."""
        for end in range(len(where), 0, -1):
            if (origin := self.origins.get(where[:end])) is not None:
                return origin[0], (*origin[1], *where[end:])
        return "", where


def write_out(data: Any, read: ReadFile | None = None, *, file: str = "", above: tuple[str, ...] = ()) -> WrittenOut:
    """The flow with every subflow in its place; raises :class:`FlowDefect`. Data of another shape is left as it is."""
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), dict):
        return WrittenOut(data, {})
    nodes: dict[str, Any] = {}
    facts = dict(data["facts"]) if isinstance(data.get("facts"), dict) else {}
    origins: dict[Place, tuple[str, Place]] = {}
    starts: dict[str, str] = {}
    for node_id, node in data["nodes"].items():
        if "." in str(node_id):
            raise FlowDefect([Defect(("nodes", node_id), "reserved_name", "a name with a dot is a subflow's")])
        if not (isinstance(node, dict) and node.get("action") == "subflow"):
            nodes[node_id] = node
            continue
        where = ("nodes", str(node_id))
        inner = _inner(node, where, read, file, above)
        starts[node_id] = f"{node_id}.{inner.data['start']}"
        for name, each in inner.data["nodes"].items():
            nodes[f"{node_id}.{name}"] = _moved(each, str(node_id), node.get("exits") or {}, where)
            origins["nodes", f"{node_id}.{name}"] = inner.locate(("nodes", name))
        for name, fact in (inner.data.get("facts") or {}).items():
            if facts.setdefault(name, fact) != fact:
                raise FlowDefect(
                    [Defect((*where, "file"), "wrong_value", f"the fact {name} is declared otherwise there")]
                )
            origins.setdefault(("facts", name), inner.locate(("facts", name)))
    for name in data.get("facts") or {}:
        origins.pop(("facts", name), None)
    written = {**data, "nodes": {name: _led(node, starts) for name, node in nodes.items()}}
    if facts:
        written["facts"] = facts
    if "start" in data:
        written["start"] = _renamed(data["start"], starts)
    return WrittenOut(written, {place: origin if origin[0] else (file, origin[1]) for place, origin in origins.items()})


def _inner(
    node: Mapping[str, Any], where: Place, read: ReadFile | None, file: str, above: tuple[str, ...]
) -> WrittenOut:
    for field in node.keys() - _SUBFLOW_KEYS:
        raise FlowDefect([Defect((*where, str(field)), "schema", "there is no such field")])
    if not _leads_to_nodes(node.get("exits") or {}):
        raise FlowDefect([Defect((*where, "exits"), "schema", "must be fields with values (name: value)")])
    name = node.get("file")
    if not isinstance(name, str) or read is None:
        raise FlowDefect([Defect((*where, "file"), "schema", "a subflow names the file of another flow")])
    try:
        called, data = read(name, file)
    except FlowDefect as error:
        text = "; ".join(each.text for each in error.defects)
        raise FlowDefect([Defect((*where, "file"), "schema", text)]) from error
    if called in above or called == file:
        raise FlowDefect([Defect((*where, "file"), "loop", f"{name} holds itself")])
    if len(above) >= DEEPEST:
        raise FlowDefect([Defect((*where, "file"), "size", f"more than {DEEPEST} subflows in one another")])
    if not _is_flow(data):
        raise FlowDefect(
            [Defect((*where, "file"), "schema", f"{name} is no flow: it needs nodes, and a start among them")]
        )
    inner = write_out(data, read, file=called, above=(*above, file))
    return WrittenOut(inner.data, _with_own(inner, called))


def _is_flow(data: Any) -> bool:
    """Whether its nodes can be written out; what is wrong with them is for the schema to say."""
    if not (isinstance(data, dict) and isinstance(data.get("nodes"), dict)):
        return False
    start = data.get("start")
    return isinstance(start, str) and start in data["nodes"] and isinstance(data.get("facts") or {}, dict)


def _leads_to_nodes(exits: Any) -> bool:
    return isinstance(exits, dict) and all(isinstance(each, str) for each in (*exits, *exits.values()))


def _with_own(inner: WrittenOut, called: str) -> dict[Place, tuple[str, Place]]:
    own: dict[Place, tuple[str, Place]] = {
        (part, str(name)): (called, (part, str(name)))
        for part in ("nodes", "facts")
        for name in inner.data.get(part) or {}
    }
    return {**own, **inner.origins}


def _moved(node: Any, prefix: str, exits: Mapping[str, str], where: Place) -> Any:
    """A node of the subflow under its new name: its exits lead to its sisters, or out."""
    if not (isinstance(node, dict) and isinstance(node.get("exits"), dict)):
        return node
    moved = {}
    for name, target in node["exits"].items():
        if not isinstance(target, str):
            moved[name] = target
        elif not target.startswith(OUT):
            moved[name] = f"{prefix}.{target}"
        elif (out := target.removeprefix(OUT)) in exits:
            moved[name] = exits[out]
        else:
            raise FlowDefect([Defect((*where, "exits"), "missing_exit", f"no exit for {out}")])
    return {**node, "exits": moved}


def _led(node: Any, starts: Mapping[str, str]) -> Any:
    """Exits that lead to a subflow lead to its start."""
    if not starts or not (isinstance(node, dict) and isinstance(node.get("exits"), dict)):
        return node
    return {**node, "exits": {name: _renamed(target, starts) for name, target in node["exits"].items()}}


def _renamed(target: Any, starts: Mapping[str, str]) -> Any:
    """The start of the subflow, if that is what it names; else as it is, whatever it is."""
    return starts.get(target, target) if isinstance(target, str) else target
