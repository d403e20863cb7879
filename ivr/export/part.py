"""A subflow alone: its document and diagram. It is proved in each flow that holds it, never by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from ivr.actions.move import Copy, Ending, Move
from ivr.actions.node import Node
from ivr.export.markdown import Texts, action_of, diagram, disclosures, diversions, every_node, table
from ivr.flow import Flow
from ivr.subflows import OUT


class Leave(Node):
    """Where the flow that holds the subflow goes on. Never met by a caller."""

    action: Literal["leaves"] = "leaves"

    def exit_names(self) -> frozenset[str]:
        return frozenset()

    def moves(self) -> tuple[Move, ...]:
        return (Move("the flow that holds it goes on", ends=Ending.SERVICE),)


def leaves(flow: Flow) -> tuple[str, ...]:
    """The exits by which a subflow leaves (``to_111``), in the order of its file; none for a whole flow."""
    targets = (target for node in flow.nodes.values() for target in node.exits.values())
    return tuple(dict.fromkeys(each.removeprefix(OUT) for each in targets if each.startswith(OUT)))


def with_exits(part: Flow) -> Flow:
    """The subflow with a node behind each of its exits, as the check and the diagram need it."""
    return part.model_copy(update={"nodes": {**part.nodes, **{f"{OUT}{name}": Leave() for name in leaves(part)}}})


def part_as_markdown(part: Flow, texts: Texts) -> str:
    """The document. ``texts``: prompt texts by language and key."""
    sections = (
        _head(part), diversions(part), disclosures(part), _facts(part), _exits(part), every_node(part, texts),
        diagram(with_exits(part)),
    )  # fmt: skip
    return "\n".join(line for section in sections for line in section)


def _head(part: Flow) -> Iterator[str]:
    yield f"# {part.title}"
    yield ""
    yield f"Part `{part.flow}` of a flow, version `{part.version}`."
    yield ""
    yield (
        "Not proved alone: `callrouter flow check` proves it in each flow that holds it, and the document of that flow "
        "is what people sign."
    )
    yield ""


def _facts(part: Flow) -> Iterator[str]:
    """Its parameters: facts of one name are one fact in the whole flow."""
    yield "## Facts that it shares with the flow that holds it"
    yield ""
    read, written = _read(part), _written(part)
    rows = [
        (
            f"`{name}`", fact.type, ", ".join(fact.every_value()) or "–",
            "yes" if name in read else "no", ", ".join(f"`{each}`" for each in written.get(name, ())) or "–",
        )
        for name, fact in part.facts.items()
    ]  # fmt: skip
    yield from table(("fact", "type", "values", "read here", "set here at"), rows)


def _read(part: Flow) -> set[str]:
    found: set[str] = set()
    for node in part.nodes.values():
        for move in node.moves():
            found |= move.reads | {each.of for each in move.writes.values() if isinstance(each, Copy)}
        found |= {value for value in (getattr(node, "fact", None), getattr(node, "given", None)) if value}
    return found


def _written(part: Flow) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, node in part.nodes.items():
        for fact in dict.fromkeys(fact for move in node.moves() for fact in move.writes):
            found.setdefault(fact, []).append(name)
    return found


def _exits(part: Flow) -> Iterator[str]:
    yield "## Exits: where it leaves, for the flow that holds it to lead on"
    yield ""
    rows = [(f"`{name}`", ", ".join(_leaving(part, name))) for name in leaves(part)]
    yield from table(("exit", "taken by"), rows)
    yield "Every other way out is the engine's own, and leads to a person of 111 (key 0, silence, whatever breaks)."
    yield ""


def _leaving(part: Flow, out: str) -> Iterator[str]:
    for name, node in part.nodes.items():
        by = [each for each, target in node.exits.items() if target == f"{OUT}{out}"]
        if by:
            yield f"`{name}` ({action_of(node)}: {', '.join(by)})"
