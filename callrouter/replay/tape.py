"""A recorded call as a tape: what the caller answered at each question, by its meaning, and what look-ups said."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from callrouter import events as ev
from ivr.actions.announce import Announce
from ivr.actions.lookup import Lookup
from ivr.actions.menu import Menu
from ivr.flow import Flow
from ivr.model import InputKind


@dataclass(slots=True)
class Answer:
    """One answer. ``meaning``: choice, person, no_input, no_match, help, red_flag, heard, or empty for none of these.

    ``kind`` and ``value`` are the raw input: personal, and only ever given to an engine.
    """

    meaning: str = ""
    choice: str = ""
    kind: InputKind | None = None
    value: str = field(default="", repr=False)
    category: str = field(default="", repr=False)


@dataclass(slots=True)
class Visit:
    """A caller's stay at one step of the flow."""

    node: str
    answers: deque[Answer] = field(default_factory=deque)


@dataclass(slots=True)
class Tape:
    """What happened in a call, to be heard once. ``found``: look-up (and what it was about) → its answers, in order."""

    flow_version: str
    visits: list[Visit]
    found: dict[tuple[str, str], list[ev.LookedUp]]


def record(recorded: Iterable[ev.Recorded], flow: Flow | None) -> Tape | None:
    """The tape of a call that began in ``flow``; None where its beginning is not known."""
    tape: Tape | None = None
    for each in recorded:
        event = each.event
        if isinstance(event, ev.Offered):
            tape = Tape(event.flow_version, [], {}) if event.resumes is None else None
        elif tape is not None:
            _hear(tape, event, flow)
    return tape


def version_of(recorded: Iterable[ev.Recorded]) -> str:
    """The version in which a call began; empty if that is not known."""
    return next((each.event.flow_version for each in recorded if isinstance(each.event, ev.Offered)), "")


def _hear(tape: Tape, event: ev.Event, flow: Flow | None) -> None:
    if isinstance(event, ev.NodeEntered):
        tape.visits.append(Visit(event.node))
        return
    if not tape.visits:
        return
    answers = tape.visits[-1].answers
    match event:
        case ev.InputTaken(input=kind, value=value):
            answers.append(Answer(kind=InputKind(kind), value=value or ""))
        case ev.ChoiceMade(choice=choice):
            _means(answers, "person" if choice == "person" else "choice", choice)
        case ev.NoInput():
            _means(answers, "no_input")
        case ev.NoMatch():
            _means(answers, "no_match")
        case ev.RedFlagHeard(category=category):
            _means(answers, "red_flag", category=category)
        case ev.MessageHeard():
            _means(answers, "heard")
        case ev.LookedUp() if event.what != "understand":
            tape.found.setdefault(about(flow, tape.visits[-1].node, event.what), []).append(event)


def _means(answers: deque[Answer], meaning: str, choice: str = "", category: str = "") -> None:
    """The meaning of the input that was just taken, or of something that came without one."""
    if not answers or answers[-1].meaning:
        answers.append(Answer())
    answers[-1].meaning, answers[-1].choice, answers[-1].category = meaning, choice, category


def about(flow: Flow | None, node_id: str, what: str) -> tuple[str, str]:
    """What a look-up asks: about which service, where it is about one. Where it stands says nothing."""
    node = flow.node(node_id) if flow is not None else None
    return (what, node.service or "") if isinstance(node, Lookup | Announce) else (what, "")


def intent(flow: Flow, node_id: str) -> str:
    """What a step is about: its ``intent``, else its id."""
    node = flow.node(node_id)
    return (node.intent if node is not None else "") or node_id


def choice_intent(flow: Flow, node_id: str, choice: str) -> str:
    """What a choice means: as the menu's ``intents`` say, else its name."""
    node = flow.node(node_id)
    return node.intents.get(choice, choice) if isinstance(node, Menu) else choice
