"""What a change touches: steps that only clinical safety may agree to (docs/safety/rules.md, 5).

Read from the plain data of both versions, so that nobody has to say what they changed. In doubt a change touches:
a step that leads to a guarded one, or no longer does, counts as one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from callrouter.publishing.content import Content
from ivr.flow import ENGINE_NODES
from ivr.model import FIRST_WORDS, NOTICE

GUARDED_ACTIONS = {"announce": "announce", "offer": "offer", "disclose": "disclose"}
RAISING = ("plan", "repeat", "birth_date")
"""Look-ups of which an answer lifts the caller's band: whoever does not come past one waits, and hears, like others."""

_FELT = {"queue", "connect", "call_back", "hang_up", *GUARDED_ACTIONS}
"""Actions that treat a raised caller otherwise, or end the flow."""

_Node = Mapping[str, Any]


def touched(old: Content | None, new: Content) -> tuple[str, ...]:
    """The kinds of guarded steps that differ between the live version and a new one, in alphabetical order.

    Kinds: announce, offer, self_care, red_flag, priority, disclose, first_words; ``whole_flow`` where there is no
    version to compare with, or where the start or the declared facts differ.
    """
    if old is None:
        return ("whole_flow",)
    before, after = old.plain(), new.plain()
    found: set[str] = set()
    if any(before["flow"].get(name) != after["flow"].get(name) for name in ("start", "facts")):
        found.add("whole_flow")
    reworded = set(_differing(_sounds(before), _sounds(after)))
    if reworded & _engine_prompts():
        found.add("red_flag")
    if reworded & {FIRST_WORDS, NOTICE}:
        found.add("first_words")
    for flow, other in ((before["flow"], after["flow"]), (after["flow"], before["flow"])):
        for node_id, node in flow["nodes"].items():
            if node != other["nodes"].get(node_id) or reworded & set(_strings(node)):
                found.update(_guards(flow, node))
    found.update(_ears(before["flow"], after["flow"]))
    if any(_without(what, before["flow"]) != _without(what, after["flow"]) for what in RAISING):
        found.add("priority")
    return tuple(sorted(found))


def kinds(node: _Node) -> frozenset[str]:
    """What guards this step, if anything does."""
    found = {GUARDED_ACTIONS[node["action"]]} if node["action"] in GUARDED_ACTIONS else set()
    if node.get("marker") or node.get("diverts"):
        found.add("offer")
    if node.get("kind") == "self_care" or node["action"] == "self_care":
        found.add("self_care")
    if node.get("band") not in (None, "normal"):
        found.add("priority")
    if FIRST_WORDS in node.get("prompts", ()) or NOTICE in node.get("prompts", ()):
        found.add("first_words")
    return frozenset(found)


def _guards(flow: Mapping[str, Any], node: _Node) -> Iterator[str]:
    yield from kinds(node)
    if _asks(RAISING, node):
        yield "priority"
    for target in _strings(node):  # exits, and whatever else names a step
        if target in flow["nodes"]:
            yield from kinds(flow["nodes"][target])


def _without(what: str, flow: Mapping[str, Any]) -> frozenset[str]:
    """The steps in which priority is felt that callers come to without this look-up, over any number of steps.

    None where the flow never asks: then nobody comes past it.
    """
    nodes: Mapping[str, _Node] = flow["nodes"]
    if not any(_asks((what,), node) for node in nodes.values()):
        return frozenset()
    reached, ahead = set[str](), [flow["start"]]
    while ahead:
        node_id = ahead.pop()
        if node_id in nodes and node_id not in reached and not _asks((what,), nodes[node_id]):
            reached.add(node_id)
            ahead += nodes[node_id].get("exits", {}).values()
    return frozenset(each for each in reached if nodes[each]["action"] in _FELT)


def _asks(what: Collection[str], node: _Node) -> bool:
    return bool(node["action"] == "lookup" and node["what"] in what)


def _ears(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Where words are taken a red flag is heard: a step that begins or ceases to listen touches that."""
    old, new = ({k for k, node in flow["nodes"].items() if _listens(node)} for flow in (before, after))
    return {"red_flag"} if old != new else set()


def _listens(node: _Node) -> bool:
    return bool(node.get("words") or node.get("speech"))


def _sounds(plain: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    spoken = {(language, key): text for language, texts in plain["texts"].items() for key, text in texts.items()}
    return {**spoken, **{("audio", key): sound for key, sound in plain["audio"].items()}}


def _differing(old: Mapping[tuple[str, str], str], new: Mapping[tuple[str, str], str]) -> Iterator[str]:
    for place in old.keys() | new.keys():
        if old.get(place) != new.get(place):
            yield place[1]


def _engine_prompts() -> set[str]:
    return {key for node in ENGINE_NODES.values() for key in node.prompt_keys()}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
