"""Playing a flow in the terminal: the engine alone, with look-ups answered as the command line says."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import typer

from ivr import engine
from ivr.actions.lookup import OUTCOMES
from ivr.flow import Flow
from ivr.model import (
    Answered,
    Connect,
    End,
    Failed,
    Gather,
    GatherWait,
    HandBack,
    Heard,
    Hold,
    InputKind,
    Instruction,
    LegWait,
    LookupWait,
    OfferWait,
    Play,
    PlaybackWait,
    Sprint,
    TalkWait,
)
from ivr.voices import stand_ins
from nlp.lexicon import read_lexicon
from nlp.service import KeywordUnderstanding

_ORDINARY = {"hours": "open", "area": "unknown", "service_state": "free", "messages": "none", "number": "mobile"}
"""What look-ups answer for which there is no option."""


class HungUp(Exception):
    """The person at the keyboard ended the call."""


def play_flow(flow: Flow, prompts: Mapping[str, str], answers: Mapping[str, str]) -> None:
    """Play ``flow`` until it ends. ``answers``: what each look-up says; ValueError for one it cannot say."""
    for what, outcome in answers.items():
        if outcome not in OUTCOMES[what]:
            raise ValueError(f"--{what} can be {', '.join(OUTCOMES[what])}")
    sprint = engine.start(flow)
    try:
        while not isinstance(sprint.wait, TalkWait):
            _show(sprint, prompts)
            heard = _next(flow, sprint, answers)
            if heard is None:
                break
            sprint = engine.resume(flow, sprint.session, heard)
        else:
            typer.echo(f"   [connected to {sprint.wait.target}]")
    except HungUp:
        typer.echo("   [you hung up]")


def _show(sprint: Sprint, prompts: Mapping[str, str]) -> None:
    for happening in sprint.happenings:
        if isinstance(happening, Failed):
            typer.echo(f"   [failed at {happening.node}: {happening.error_id}]")
    for instruction in sprint.instructions:
        if (text := _in_words(instruction, prompts)) is not None:
            typer.echo(text)


def _in_words(instruction: Instruction, prompts: Mapping[str, str]) -> str | None:
    match instruction:
        case Play(prompts=keys):
            return "\n".join(f"♪ {_text(key, prompts)}" for key in keys)
        case Hold(prompts=keys):
            return "\n".join([*(f"♪ {_text(key, prompts)}" for key in keys), "   [on hold]"])
        case Connect(target=target):
            return f"   [calling {target}]"
        case HandBack(reason=reason):
            return f"   [given to the network's fall-back: {reason}]"
        case End(reason=reason):
            return f"   [call ended: {reason}]"
        case _:
            return None


def _text(key: str, prompts: Mapping[str, str]) -> str:
    return next((prompts[each] for each in stand_ins(key) if each in prompts), key)


def _next(flow: Flow, sprint: Sprint, answers: Mapping[str, str]) -> Heard | Answered | None:
    wait = sprint.wait
    match wait:
        case GatherWait():
            speech = any(isinstance(each, Gather) and each.speech for each in sprint.instructions)
            return _typed(speech)
        case PlaybackWait():
            return Heard(InputKind.PLAYBACK_FINISHED)
        case LookupWait(what="understand", about=said, node=node):
            understood = KeywordUnderstanding(read_lexicon()).understand(said, flow.vocabulary(node))
            flag = understood.red_flag
            if flag is None:
                return Answered("understood", choice=understood.choice)
            return Answered("red_flag", red_flag=flag.category, words=flag.phrase, lexicon=flag.lexicon)
        case LookupWait(what="birth_date"):
            checked = answers["plan"] in ("asserted", "confirmed")
            typer.echo(f"   [look-up birth_date: {answers['plan']}]")
            return Answered(answers["plan"], facts={"pathway": "frailty", "stale": False} if checked else {})
        case LookupWait(what=what):
            answer = answers.get(what) or _ORDINARY[what]
            typer.echo(f"   [look-up {what}: {answer}]")
            return Answered(answer, raises=answer in ("RC", "PRC"), digits="0123" if what == "number" else "")
        case OfferWait(services=services):
            return Heard(InputKind.OFFERED, services[0])
        case LegWait(target=target):
            return Heard(InputKind.LEG_ANSWERED, target)
        case _:
            return None


def _typed(speech: bool) -> Heard:
    kinds = "keys or words" if speech else "keys"
    typer.echo(f"> ({kinds}, empty for silence, h to hang up) ", nl=False)
    line = sys.stdin.readline()
    text = line.strip()
    if not line or text == "h":
        raise HungUp
    if not text:
        return Heard(InputKind.SILENCE)
    if set(text) <= set("0123456789*#"):
        return Heard(InputKind.DIGIT, text.rstrip("#") or text)
    return Heard(InputKind.SPEECH_FINAL, text)
