"""The engine: a pure function from session and input to the next sprint.

``start`` and ``resume`` never fail: what an action cannot do becomes a failed session that goes to a person
of the default 111 service. The same arguments always give the same sprint.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from ivr.actions.connect import Connect
from ivr.actions.hang_up import HangUp
from ivr.actions.lookup import Lookup, weigh
from ivr.actions.seek import Seek
from ivr.errors import SessionError
from ivr.flow import ENGINE_NODES, FALL_BACK_NODE, Flow
from ivr.model import (
    DEFAULT_NODE,
    FIRST_WORDS,
    MAX_STEPS,
    NOTICE,
    RED_FLAG_NODE,
    Answer,
    Answered,
    Band,
    Failed,
    Flagged,
    Gather,
    GoneWait,
    HandBack,
    Heard,
    InputKind,
    Instruction,
    LegWait,
    Needs,
    OfferWait,
    Play,
    Session,
    Sprint,
    TalkWait,
)
from ivr.room import fits
from ivr.run import Run
from ivr.voices import in_voice

MISSED_THAT = "sorry_missed_that"
"""Said before a menu is repeated by a worker that took the call over: a key may have been lost."""

# looked up once: Python 3.11 takes 60 ns each time for a member of an enum
_TAKEN_OVER, _TIMER = InputKind.TAKEN_OVER, InputKind.TIMER

CONFIRMED, PLAN_LOOKS = "confirmed", ("plan", "birth_date")

CUT_OFF = "sorry_cut_off"
"""Said to a caller whom we cut off and who rang back. It names no reason for the call: the line may be shared."""


def start(flow: Flow) -> Sprint:
    """The first sprint of a call."""
    run = Run(flow)
    run.do(Answer())
    return _guarded(run, flow.start)


def without_us(flow: Flow) -> Sprint:
    """The one sprint of a call that the network carried to the default 111 service before we heard of it."""
    run = Run(flow)
    run.node = FALL_BACK_NODE
    run.do(HandBack("no_worker"))
    return run.sprint(GoneWait(run.node))


def straight_to_a_person(flow: Flow, need: str) -> Sprint:
    """The first sprint of a caller whom no menu could serve: the first words, then a person, raised."""
    run = Run(flow)
    run.raise_to(Band.RAISED)
    run.tell(Needs(flow.start, need))
    run.do(Answer(), Play((FIRST_WORDS, NOTICE), barge_in=False))
    return _guarded(run, DEFAULT_NODE)


def come_back(flow: Flow, session: Session) -> Sprint:
    """The first sprint of a caller whom we cut off at ``session``: on at that place, ahead of others, not asked again.

    In another version of the flow that place may be gone: then to the default 111 service. Who rings back may be
    somebody else of the household: a plan that was asserted is not, any more, and its callers go there, too; nor is one
    that a person confirmed in that call. Nor is it they who chose to end the call: at the second question of two they
    would be asked once.
    """
    session = _unconfirmed(flow, session)
    asserted = _asserted(flow, session)
    run = Run(flow, replace(session, facts={**session.facts, **dict.fromkeys(asserted)}))
    run.visits.clear()
    run.search_anew()
    run.raise_to(Band.RAISED)
    run.do(Answer(), Play((FIRST_WORDS, NOTICE, CUT_OFF), barge_in=False))
    same = (flow.flow, flow.version) == (session.flow, session.version) and session.node != FALL_BACK_NODE
    lost = asserted or not same or _may_end_next(flow, session.node)
    return _guarded(run, DEFAULT_NODE if lost else session.node)


def _may_end_next(flow: Flow, node_id: str) -> bool:
    node = flow.node(node_id)
    ahead = (node_id, *(node.exits.values() if node else ()))
    return any(isinstance(flow.node(each), HangUp) for each in ahead)


def _asserted(flow: Flow, session: Session) -> tuple[str, ...]:
    """The facts that say what a date of birth has opened, if it has opened anything in this call."""
    looks = [each for each in flow.nodes.values() if isinstance(each, Lookup) and each.what == "birth_date"]
    opened = any(session.facts.get(each.into) in ("asserted", "confirmed") for each in looks)
    return tuple(name for each in looks for name in (each.into, *each.also.values())) if opened else ()


def confirmed(flow: Flow, session: Session, *, raises: bool) -> Session:
    """A signed-in person has checked with the caller whose plan it is. Nothing moves: the facts say so from here on."""
    facts = {**session.facts, **dict.fromkeys(_levels(flow), CONFIRMED)}
    band = Band.RAISED if raises and Band.RAISED.rank < session.band.rank else session.band
    return replace(session, facts=facts, band=band)


def learned(flow: Flow, session: Session, found: Mapping[str, Answered]) -> Sprint:
    """Look-ups (plan, repeat) that the caller went past, by key 0 or in need, now that somebody is sought for them.

    They only raise: the band, a clinician beside 111 at the engine's own node, and away from a service that diverts.
    """
    run = Run(flow, session)
    for what, answer in found.items():
        weigh(run, what, answer)
    node, wait = flow.node(session.node), session.wait
    if isinstance(node, Connect) and node.diverts and run.band is not Band.NORMAL:
        return _guarded(run, node.target("raised"))
    if isinstance(node, Seek) and isinstance(wait, OfferWait):
        wait = replace(wait, services=node.sought(run), band=run.band)
    return Sprint(replace(session, counts=run.counts, band=run.band, wait=wait), (), ())


def _unconfirmed(flow: Flow, session: Session) -> Session:
    """As it was before anybody confirmed it: by what the caller keyed, if they were asked, else by number."""
    before = "asserted" if session.counts.get("birth_dates") else "candidates"
    facts = {name: before for name in _levels(flow) if session.facts.get(name) == CONFIRMED}
    return replace(session, facts={**session.facts, **facts}) if facts else session


def _levels(flow: Flow) -> tuple[str, ...]:
    """The facts that say how sure it is whose plan the caller's is."""
    return tuple(each.into for each in flow.nodes.values() if isinstance(each, Lookup) and each.what in PLAN_LOOKS)


def resume(flow: Flow, session: Session, heard: Heard | Answered) -> Sprint:
    """What ``heard`` does to a call. An input that means nothing to the present wait changes nothing."""
    kind = heard.kind if isinstance(heard, Heard) else None
    if kind is _TAKEN_OVER:
        return _again(session)
    node = flow.node(session.node)
    if node is None:
        return fail(flow, session, "missing_node")
    run = Run(flow, session)
    try:
        step = node.resume(run, heard)
        if step is None and kind is _TIMER and session.wait.deadline_s is not None:
            step = "timeout"
        if step is None:
            return run.stay(session)
        if isinstance(step, str):
            return _guarded(run, node.target(step))
        return run.sprint(step)
    except SessionError as error:
        return fail(flow, session, error.error_id)


def resume_elsewhere(flow: Flow, session: Session, heard: Heard | Answered, why: str) -> Sprint:
    """What ``heard`` does to a call that began in a flow which is not known here, or not to be used any more.

    Whoever waits for somebody, is put through, talks or has gone goes on as they are, at the default node of
    ``flow``; everybody else goes to the default 111 service, with the error id ``why``.
    """
    if not isinstance(session.wait, OfferWait | LegWait | TalkWait | GoneWait):
        return fail(flow, session, why)
    node = session.node if session.node in ENGINE_NODES else DEFAULT_NODE
    there = replace(session, flow=flow.flow, version=flow.version, node=node)
    sprint = resume(flow, there, heard)
    return replace(sprint, session=session) if sprint.session is there else sprint


def flagged(flow: Flow, session: Session, answer: Answered) -> Sprint:
    """A red flag in the words of a caller whose own flow cannot take it: the engine's own node does."""
    run = Run(flow, session)
    category = answer.red_flag or ""
    run.tell(Flagged(session.node, category, answer.words, answer.lexicon))
    run.facts["red_flag"] = category
    return _guarded(run, RED_FLAG_NODE)


def fail(flow: Flow, session: Session, error_id: str) -> Sprint:
    """Give up on the flow: to the default 111 service, or to the network's fall-back if that failed."""
    run = Run(flow, session)
    run.tell(Failed(session.node, error_id))
    run.visits.clear()
    last = session.node in (DEFAULT_NODE, FALL_BACK_NODE)
    return _advance(run, FALL_BACK_NODE if last else DEFAULT_NODE)


def _guarded(run: Run, node_id: str) -> Sprint:
    try:
        sprint = _advance(run, node_id)
        if not fits(sprint.session):
            raise SessionError("session_too_large", run.node)
    except SessionError as error:
        run.tell(Failed(error.node, error.error_id))
        run.visits.clear()
        run.instructions[:] = _without_pile(run.instructions)
        return _advance(run, DEFAULT_NODE)
    return sprint


def _without_pile(instructions: list[Instruction]) -> list[Instruction]:
    """What a failed sprint still does: all but its prompts, which a loop has piled up; never without 999."""
    first = 2 if instructions[:1] == [Answer()] else 0
    return [*instructions[:first], *(each for each in instructions[first:] if not isinstance(each, Play))]


def _advance(run: Run, node_id: str) -> Sprint:
    for _ in range(MAX_STEPS):
        run.visit(node_id)
        node = run.flow.node(node_id)
        if node is None:
            raise SessionError("missing_node", node_id)
        step = node.enter(run)
        if not isinstance(step, str):
            return run.sprint(step)
        node_id = node.target(step)
    raise SessionError("sprint_too_long", node_id)


def _again(session: Session) -> Sprint:
    """The present wait once more, for a new owner. The session does not move."""
    instructions = session.present
    if any(isinstance(each, Gather) for each in instructions):
        first = 1 if instructions[0] == Answer() else 0
        instructions = (*instructions[:first], Play((_as_before(MISSED_THAT, instructions),)), *instructions[first:])
    return Sprint(session, instructions, ())


def _as_before(key: str, instructions: tuple[Instruction, ...]) -> str:
    """The key in the voice in which the caller was spoken to last."""
    said = next((key for each in instructions if isinstance(each, Play) for key in each.prompts), "")
    voice = said.rpartition("/")[0]
    return in_voice(voice, key) if voice else key
