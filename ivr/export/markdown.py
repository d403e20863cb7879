"""A flow as a document that a clinical-safety officer can read and sign: everything that a caller can meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from ivr import pieces
from ivr.actions.disclose import Disclose
from ivr.actions.lookup import Lookup
from ivr.actions.move import Ending
from ivr.actions.node import Node
from ivr.export.mermaid import as_mermaid
from ivr.flow import Flow
from ivr.proof.model import Model
from ivr.proof.report import Report

SIGNATURES = ("Author", "Clinical safety officer", "Commissioner")
_ENDS = {
    Ending.PERSON: "a person",
    Ending.SERVICE: "a service away from 111",
    Ending.FALL_BACK: "a person, rung by the network without us",
    Ending.HUNG_UP: "the end, chosen twice by key",
}

_TOLD = {"action", "exits", "note", "kind"}
"""Fields of a node that stand in its heading, and where they lead."""

Texts = Mapping[str, Mapping[str, str]]


def as_markdown(report: Report, texts: Texts) -> str:
    """The document. ``texts``: prompt texts by language and key."""
    flow = report.proof.flow
    parts = (
        _head(flow, report), _bounds(report), _path_classes(report.model), diversions(flow),
        disclosures(flow), _facts(flow), every_node(flow, texts), _rests_on(report), diagram(flow), _signatures(flow),
    )  # fmt: skip
    return "\n".join(line for part in parts for line in part)


def _head(flow: Flow, report: Report) -> Iterator[str]:
    yield f"# {flow.title}"
    yield ""
    yield f"Flow `{flow.flow}`, version `{flow.version}`, languages {', '.join(flow.languages)}."
    yield ""
    yield f"Check: {report.verdict()}."
    yield ""


def _bounds(report: Report) -> Iterator[str]:
    yield "## Bounds"
    yield ""
    yield from table(
        ("who", "before a person, at most", "bound", "prompts, at most", "bound", "source of the bound"),
        (
            (
                each.bound.who, f"{each.seconds.cost:.0f} s", f"{each.bound.seconds:g} s", f"{each.prompts.cost:.0f}",
                "–" if each.bound.prompts is None else str(each.bound.prompts), each.bound.source,
            )
            for each in report.bounds
        ),
    )  # fmt: skip


def _path_classes(model: Model) -> Iterator[str]:
    """One row for each place where calls end, with the shortest way there."""
    yield "## Where calls come out, and the shortest way there"
    yield ""
    found = model.graph.reach(model.graph.roots[:1])
    ways: dict[tuple[str, Ending], str] = {}
    for state in found:
        for ending in sorted(model.endings(state)):
            ways.setdefault((model.name(state), ending), model.tell(model.graph.way(found, state), state))
    rows = ((f"`{name}`", _ENDS[ending], way) for (name, ending), way in ways.items())
    yield from table(("node", "the call ends with", "shortest way"), rows)


def diversions(flow: Flow) -> Iterator[str]:
    """The section on who may be sent elsewhere."""
    yield "## Who may be sent elsewhere, and who answers for it"
    yield ""
    rows = []
    for name, node in flow.nodes.items():
        owner = getattr(node, "clinical_owner", None)
        if owner is not None and not isinstance(node, Disclose):
            stay, net = getattr(node, "who_should_stay", ""), getattr(node, "safety_net", "")
            rows.append((f"`{name}`", action_of(node), stay, net, str(owner)))
        elif getattr(node, "diverts", False):
            rows.append((f"`{name}`", f"connect to {', '.join(getattr(node, 'services', ()))}", "–", "–", "–"))
    yield from table(("node", "what", "who should stay (prompt)", "safety net (prompt)", "clinical owner"), rows)


def disclosures(flow: Flow) -> Iterator[str]:
    """The section on what a plan may let a caller hear."""
    yield "## Where a caller may hear that a plan is known"
    yield ""
    rows = [
        (f"`{name}`", node.level, ", ".join(node.prompts), ", ".join(node.targets), node.reason, node.clinical_owner)
        for name, node in flow.nodes.items()
        if isinstance(node, Disclose)
    ]
    yield from table(("node", "level", "prompts", "leads to", "reason", "clinical owner"), rows)


def _facts(flow: Flow) -> Iterator[str]:
    yield "## Facts"
    yield ""
    rows = [(f"`{name}`", fact.type, ", ".join(fact.every_value()) or "–") for name, fact in flow.facts.items()]
    yield from table(("fact", "type", "values"), rows)


def every_node(flow: Flow, texts: Texts) -> Iterator[str]:
    """The section on nodes: words, settings, ways on."""
    yield "## Every node"
    yield ""
    for name, node in flow.nodes.items():
        yield from _one_node(flow, name, node, texts)


def _one_node(flow: Flow, name: str, node: Node, texts: Texts) -> Iterator[str]:
    yield f"### `{name}`: {action_of(node)}"
    yield ""
    if node.note:
        yield f"{_cell(node.note)}"
        yield ""
    heard = dict.fromkeys((*node.prompt_keys(), *(key for move in node.moves() for key in move.heard)))
    for key, (language, spoken) in product(heard, texts.items()):
        if key in spoken and key not in pieces.EVERY:
            yield f"- `{key}` ({language}): “{_cell(spoken[key])}”"
    if heard.keys() & pieces.EVERY:
        yield "- what the caller gave, joined from recorded pieces"
    yield from _settings(node)
    yield ""
    yield from table(("what happens", "leads to"), _leads(flow, name, node))


def _settings(node: Node) -> Iterator[str]:
    """What its author wrote besides words and exits: conditions, services, facts, bands, times."""
    for field, value in node.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_TOLD).items():
        if field == "when":
            yield from (f"- if `{_cell(each['if'])}`: `{each['exit']}` (the first that holds)" for each in value)
        else:
            yield f"- {field}: {_cell(_plain(value))}"


def _plain(value: object) -> str:
    match value:
        case dict():
            return "; ".join(f"{name}: {_plain(each)}" for name, each in value.items())
        case list():
            return ", ".join(map(_plain, value))
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _leads(flow: Flow, name: str, node: Node) -> list[tuple[str, str]]:
    if isinstance(node, Lookup):
        return [("whatever the look-up says, and where it says nothing", f"`{flow.target(name, 'next')}`")]
    rows = []
    for move in node.moves():
        leads = _ENDS[move.ends] if move.ends else f"`{flow.target(name, move.exit)}`" if move.exit else "stays here"
        counted = f", at most {move.limit} times" if move.limit else ""
        rows.append((move.what + counted, leads))
    return rows


def _rests_on(report: Report) -> Iterator[str]:
    yield "## What the check rests on"
    yield ""
    yield from (f"- {_cell(line.strip())}" for line in report.details())
    yield ""


def diagram(flow: Flow) -> Iterator[str]:
    """The section with the picture."""
    yield from ("## Diagram", "", "```mermaid", as_mermaid(flow).rstrip(), "```", "")


def _signatures(flow: Flow) -> Iterator[str]:
    yield "## Signatures"
    yield ""
    yield f"For version `{flow.version}` and no other."
    yield ""
    yield from table(("role", "name", "date", "signature"), [(role, " ", " ", " ") for role in SIGNATURES])


def action_of(node: object) -> str:
    """What a node does, with its kind if it has one: ``offer (text)``."""
    kind = getattr(node, "kind", "")
    return str(getattr(node, "action", "")) + (f" ({kind})" if kind else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; "None." where there is no row."""
    lines = list(rows)
    if not lines:
        yield from ("None.", "")
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in lines:
        yield f"| {' | '.join(_cell(text) for text in row)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
