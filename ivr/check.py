"""Static checks of a flow: what must be true before a caller may meet it.

The proof on nodes alone: every exit leads somewhere, every node can be reached, there is no loop, and every
path ends with a person or a definite service. What is said first, and the ways of callers who make no choice
or whom a service sends back, are checked as the safety rules ask. Retries inside a menu are counted
and bounded by the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ivr.actions.asking import Asking
from ivr.actions.lookup import OUTCOMES, Lookup
from ivr.actions.menu import Menu
from ivr.actions.node import PERSON
from ivr.actions.offer import Offer
from ivr.actions.say import Say
from ivr.actions.seek import Seek
from ivr.actions.set import Set
from ivr.engine import CUT_OFF, MISSED_THAT
from ivr.errors import Defect, FlowDefect
from ivr.flow import ENGINE_NODES, Flow
from ivr.model import DEFAULT_SERVICE, FIRST_WORDS, MAX_NODES, NOTICE
from ivr.proof.lengths import Lengths
from ivr.proof.prove import Proof, prove
from ivr.run import LANGUAGE, SHORT_MENUS, SLOW
from ivr.subflows import OUT
from ivr.voices import in_voice

RESERVED_CHOICES = Menu.SUPPLIED | {PERSON, "red_flag"}
ENGINE_EXITS = frozenset({PERSON, "red_flag", "error", "timeout"})
RESERVED_FACTS = frozenset({"red_flag"})
FIRST_WORDS_S = 15.0
"""From the answer to the end of the 999 words (proposed; docs/safety/rules.md, 1)."""


MOST_NAMED = 12  # prompts without a sound that a message names: the others are missing for the same cause


@dataclass(frozen=True, slots=True)
class World:
    """What a flow may refer to outside itself; None where it is not known and not checked."""

    prompts: frozenset[str] | None = None
    services: frozenset[str] | None = None
    lengths: Lengths | None = None
    carried_out: frozenset[str] = frozenset()
    """What callers may be promised, since something keeps it: ``call_back``, ``text``. Not given: nothing."""
    texts: frozenset[str] | None = None
    """Keys of the texts that can be sent."""
    sounds: frozenset[str] | None = None
    """Prompts that there is a sound of, those of other languages under their voice; None where texts are spoken."""


def check(flow: Flow, world: World | None = None) -> list[Defect]:
    """Every defect of the flow, in the order of its file; empty for a flow that may be used.

    What is wrong with single nodes comes first. Only a flow that is sound in itself is proved.
    """
    try:
        proven(flow, world)
    except FlowDefect as error:
        return list(error.defects)
    return []


def proven(flow: Flow, world: World | None = None) -> Proof:
    """The proof of a flow that may be used; raises :class:`FlowDefect` with what :func:`check` gives."""
    world = world or World()
    if defects := defects_of_nodes(flow, world):
        raise FlowDefect(defects)
    proof = prove(flow, world.lengths)
    if proof.defects:
        raise FlowDefect(list(proof.defects))
    return proof


def defects_of_part(part: Flow, world: World) -> list[Defect]:
    """What is wrong with the nodes of a subflow alone. The 999 words are for the flow that holds it to say."""
    return [each for each in defects_of_nodes(part, world) if each.rule != "first_words"]


def defects_of_nodes(flow: Flow, world: World) -> list[Defect]:
    """What is wrong with the flow's nodes, one by one."""
    rules: tuple[Callable[[Flow, World], Iterable[Defect]], ...] = (
        _size, _first_words, _exits, _choices, _short, _facts, _prompts, _sounds, _services, _promises,
    )  # fmt: skip
    return [defect for rule in rules for defect in rule(flow, world)]


def _size(flow: Flow, _world: World) -> Iterator[Defect]:
    if len(flow.nodes) > MAX_NODES:
        yield Defect(("nodes",), "size", f"{len(flow.nodes)} nodes; a flow has at most {MAX_NODES}")


def _first_words(flow: Flow, world: World) -> Iterator[Defect]:
    first = flow.nodes.get(flow.start)
    if not (isinstance(first, Say) and first.prompts[:1] == (FIRST_WORDS,) and not first.barge_in):
        text = f"must be a say of {FIRST_WORDS} with barge_in: false"
        yield Defect(("nodes", flow.start), "first_words", text)
    elif NOTICE not in _said_first(flow):
        text = f"{NOTICE} must be said, with barge_in: false, before anything is asked or looked up"
        yield Defect(("nodes", flow.start), "first_words", text)
    # they begin at once; a text that is not known is refused as missing
    ends_s = world.lengths.seconds.get(FIRST_WORDS, 0.0) if world.lengths else 0.0
    if ends_s > FIRST_WORDS_S:
        text = f"{FIRST_WORDS} ends {ends_s:.1f} s after the answer; at most {FIRST_WORDS_S:g} s"
        yield Defect(("nodes", flow.start), "first_words", text)


def _said_first(flow: Flow) -> list[str]:
    """The prompts that no caller can miss: of the say nodes from the start on that no key cuts short."""
    said: list[str] = []
    node_id, seen = flow.start, set[str]()
    while isinstance(node := flow.nodes.get(node_id), Say) and node_id not in seen:
        seen.add(node_id)
        said += () if node.barge_in else node.prompt_keys()
        node_id = flow.target(node_id, "next")
    return said


def _choices(flow: Flow, _world: World) -> Iterator[Defect]:
    """A choice with the name of one of the engine's own exits would never lead where its author says."""
    for node_id, node in flow.nodes.items():
        for name in sorted(node.choices & RESERVED_CHOICES) if isinstance(node, Menu) else ():
            yield Defect(("nodes", node_id, "exits", name), "reserved_name", f"the choice {name} is the engine's own")


def _short(flow: Flow, world: World) -> Iterator[Defect]:
    """The proof counts ``prompts``: what takes their place is never more."""
    lengths = world.lengths or Lengths()
    for node_id, node in flow.nodes.items():
        if not (isinstance(node, Asking) and node.short_prompts):
            continue
        short_s, usual_s = lengths.of(node.short_prompts), lengths.of(node.prompts)
        if len(node.short_prompts) > len(node.prompts) or short_s > usual_s:
            text = "must not take longer than prompts, nor be more of them"
            yield Defect(("nodes", node_id, "short_prompts"), "short_prompts", text)


def _exits(flow: Flow, _world: World) -> Iterator[Defect]:
    if flow.start not in flow.nodes:
        yield Defect(("start",), "dangling_exit", f"there is no node {flow.start}")
    for node_id, node in flow.nodes.items():
        if node_id in ENGINE_NODES:
            yield Defect(("nodes", node_id), "reserved_name", "this name belongs to the engine")
        for name, target in node.exits.items():
            where = ("nodes", node_id, "exits", name)
            if flow.node(target) is None:
                yield Defect(where, "dangling_exit", f"leads to {target}, {_why_not(target)}")
            if name not in node.exit_names():
                own = "is the engine's own, and always leads to a person: leave it out"
                text = f"{name} {own}" if name in ENGINE_EXITS else f"a {_action(node)} never leaves by {name}"
                yield Defect(where, "unknown_exit", text)
        for name in sorted(node.exit_names() - node.SUPPLIED - {"failed", "raised"} - set(node.exits)):
            yield Defect(("nodes", node_id, "exits"), "missing_exit", f"no exit for {name}")


def _facts(flow: Flow, _world: World) -> Iterator[Defect]:
    for name, declared in flow.facts.items():
        if name in RESERVED_FACTS:
            yield Defect(("facts", name), "reserved_name", "this fact belongs to the engine")
        if not declared.allows(declared.initial):
            yield Defect(("facts", name, "initial"), "wrong_value", f"{name} cannot be {declared.initial!r}")
    yield from _own_facts(flow)
    for node_id, node in flow.nodes.items():
        if isinstance(node, Set):
            yield from _check_set(flow, node_id, node)
        elif isinstance(node, Lookup):
            fact = flow.facts.get(node.into)
            if fact is None or set(fact.values) != set(OUTCOMES[node.what]):
                text = f"{node.into} must be a declared fact with values {', '.join(OUTCOMES[node.what])}"
                yield Defect(("nodes", node_id, "into"), "undeclared_fact", text)
        for defect in node.defects(flow.facts):
            yield Defect(("nodes", node_id, *defect.where), defect.rule, defect.text)


def _own_facts(flow: Flow) -> Iterator[Defect]:
    """Facts with a name that means something to the engine have the type that it needs."""
    language = flow.facts.get(LANGUAGE)
    if language is not None and set(language.values) != set(flow.languages):
        yield Defect(("facts", LANGUAGE), "wrong_value", f"its values are the languages, {', '.join(flow.languages)}")
    for name in (SLOW, SHORT_MENUS):
        if name in flow.facts and flow.facts[name].type != "bool":
            yield Defect(("facts", name), "wrong_value", f"{name} is of type bool")


def _check_set(flow: Flow, node_id: str, node: Set) -> Iterator[Defect]:
    for name, value in node.facts.items():
        where = ("nodes", node_id, "facts", name)
        if name not in flow.facts:
            yield Defect(where, "undeclared_fact", f"{name} is not declared under facts")
        elif not flow.facts[name].allows(value):
            yield Defect(where, "wrong_value", f"{name} cannot be {value!r}")


def _of_the_engine() -> set[str]:
    """The prompts that the engine itself says, in any flow."""
    return {key for node in ENGINE_NODES.values() for key in node.prompt_keys()} | {MISSED_THAT, CUT_OFF}


def _prompts(flow: Flow, world: World) -> Iterator[Defect]:
    if world.prompts is None:
        return
    engine = _of_the_engine()
    for key in sorted(engine - world.prompts):
        yield Defect((), "missing_prompt", f"the engine itself needs the prompt {key}")
    for language in flow.languages[1:]:
        for key in sorted({in_voice(language, key) for key in engine} - world.prompts):
            yield Defect(("languages",), "missing_prompt", f"the engine itself needs the prompt {key}")
    for node_id, node in flow.nodes.items():
        for key in node.prompt_keys():
            for needed in (key, *(in_voice(language, key) for language in flow.languages[1:])):
                if needed not in world.prompts:
                    yield Defect(("nodes", node_id), "missing_prompt", f"there is no prompt {needed}")


def _sounds(flow: Flow, world: World) -> Iterator[Defect]:
    """Every prompt of the flow and of the engine has a sound in each language, or is not a prompt (refused above)."""
    if world.sounds is None:
        return
    said = _of_the_engine().union(*(node.prompt_keys() for node in flow.nodes.values()))
    for language in flow.languages:
        voiced = {key if language == flow.language else in_voice(language, key) for key in said}
        if missing := sorted((voiced & world.prompts if world.prompts is not None else voiced) - world.sounds):
            more = f", and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
            text = f"no sound of {', '.join(missing[:MOST_NAMED])}{more}: record them, or `callrouter prompts`"
            yield Defect(("languages",), "missing_sound", text)


def _services(flow: Flow, world: World) -> Iterator[Defect]:
    if world.services is None:
        return
    if DEFAULT_SERVICE not in world.services:
        yield Defect((), "unknown_service", f"no provider offers the default service {DEFAULT_SERVICE}")
    for node_id, node in flow.nodes.items():
        for service in node.services if isinstance(node, Seek) else ():
            if service not in world.services:
                text = f"no provider offers the service {service}"
                yield Defect(("nodes", node_id, "services"), "unknown_service", text)


def _promises(flow: Flow, world: World) -> Iterator[Defect]:
    """Who was promised a call-back hangs up, and waits for it."""
    for node_id, node in flow.nodes.items():
        for promised in sorted(node.promises() - world.carried_out):
            text = f"callers would be promised a {promised.replace('_', '-')}, and nothing here carries it out"
            yield Defect(("nodes", node_id), "not_carried_out", text)
        if world.texts is not None and isinstance(node, Offer) and node.text and node.text not in world.texts:
            yield Defect(("nodes", node_id, "text"), "unknown_text", f"no text is called {node.text}")


def _action(node: object) -> str:
    return str(getattr(node, "action", "node"))


def _why_not(target: str) -> str:
    if target.startswith(OUT):
        return "as only a subflow leaves: check the flow that holds this one"
    return "which is no node"
