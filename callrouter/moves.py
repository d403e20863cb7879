"""The rules of a call's life, without I/O: which inputs count now, what they mean for journal and record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from callrouter import events as ev
from callrouter.model import MOST_LOOKS, MOST_REPLIES, NEXT_LIFE, CallRecord, Input, InputKind, Reply
from ivr import engine
from ivr import model as ivr
from ivr.flow import Flow

_WAITS: dict[InputKind, tuple[type[Any], ...]] = {
    InputKind.DIGIT: (ivr.GatherWait, ivr.PlaybackWait, ivr.OfferWait),
    InputKind.SPEECH_PARTIAL: (ivr.GatherWait,),
    InputKind.SPEECH_FINAL: (ivr.GatherWait,),
    InputKind.SILENCE: (ivr.GatherWait,),
    InputKind.PLAYBACK_FINISHED: (ivr.PlaybackWait,),
    InputKind.OFFERED: (ivr.OfferWait,),
    InputKind.LEG_RINGING: (ivr.LegWait,),
    InputKind.LEG_ANSWERED: (ivr.LegWait, ivr.GoneWait),
    InputKind.LEG_FAILED: (ivr.LegWait,),
    InputKind.LEG_ENDED: (ivr.LegWait, ivr.TalkWait),
    InputKind.TALK_ENDED: (ivr.TalkWait,),
}
_NAMED = {
    InputKind.DIGIT,
    InputKind.SPEECH_PARTIAL,
    InputKind.SPEECH_FINAL,
    InputKind.SILENCE,
    InputKind.PLAYBACK_FINISHED,
    InputKind.TIMER,
}
"""Inputs that answer a prompt or a deadline: they must name their wait."""


OF_THE_CALLER = ("plan", "repeat")
"""Look-ups of who rings, by number alone."""

READ_BACK = "(read back)"
"""In the journal, for prompts that say what the caller gave."""


def is_stale(record: CallRecord, given: Input) -> bool:
    """Whether a newer owner has the call. An owner that lost it may still tell its end, if it is the same line's."""
    if not given.epoch or given.epoch >= record.epoch:
        return False
    return given.kind is not InputKind.HUNG_UP or given.epoch // NEXT_LIFE < record.epoch // NEXT_LIFE


def is_for_this_wait(record: CallRecord, given: Input) -> bool:
    """Whether the input is about what the call waits for now; anything else is late."""
    if record.ended is not None:
        return False
    if given.kind is InputKind.TAKEN_OVER:
        return given.epoch > record.epoch
    if given.kind is InputKind.STARTED:
        return False
    if (given.kind in _NAMED or given.wait_id) and given.wait_id != record.wait_id:
        return False
    return _is_for(record.session.wait, record, given)


def _is_for(wait: ivr.Wait, record: CallRecord, given: Input) -> bool:
    waits = _WAITS.get(given.kind)
    if waits is not None and not isinstance(wait, waits):
        return False
    if isinstance(wait, ivr.GoneWait) and given.kind is InputKind.LEG_ANSWERED:
        return record.handed_back  # the network's fall-back was answered; nobody else can be any more
    if isinstance(wait, ivr.OfferWait) and given.kind is InputKind.OFFERED:
        return given.value.partition(" ")[2] in ("", *wait.services)
    return True


def leg_failure(record: CallRecord, given: Input) -> str | None:
    """Why the provider that is being dialled failed, if that is what the input says."""
    if not isinstance(record.session.wait, ivr.LegWait):
        return None
    match given.kind:
        case InputKind.LEG_FAILED:
            return given.value or "unknown"
        case InputKind.TIMER:
            return "no_answer"
        case InputKind.LEG_ENDED:
            return "ended"
        case _:
            return None


def leg_events(record: CallRecord, given: Input, answers: Mapping[str, str]) -> list[ev.Event]:
    """What an input means for the journal, apart from what the flow makes of it."""
    provider = "fall_back" if record.handed_back else record.provider or "fall_back"
    failed = [ev.LegFailed(provider=provider, cause=cause) for cause in (leg_failure(record, given),) if cause]
    match given.kind:
        case InputKind.DIGIT | InputKind.SPEECH_FINAL | InputKind.SILENCE:
            return [ev.InputTaken(wait_id=given.wait_id, input=given.kind, value=given.value or None)]
        case InputKind.TIMER:
            return [ev.InputTaken(wait_id=given.wait_id, input=given.kind), *failed]
        case InputKind.OFFERED:
            offered, _, service = given.value.partition(" ")
            return [ev.LegStarted(provider=offered, service=service, band=record.session.band)]
        case InputKind.LEG_RINGING:
            return [ev.LegRinging(provider=provider)]
        case InputKind.LEG_ANSWERED:
            return [ev.LegAnswered(provider=provider, evidence=given.value or answers.get(provider, "switch"))]
        case InputKind.LEG_FAILED | InputKind.LEG_ENDED if failed:
            return list(failed)
        case InputKind.TALK_ENDED | InputKind.LEG_ENDED:
            by, _, cause = given.value.partition(" ")
            talked = (given.at - record.answered_at).total_seconds() if record.answered_at else 0.0
            ended = ev.TalkEnded(
                provider=provider,
                by=by or "unknown",
                cause=cause or "normal",
                talk_s=max(0.0, round(talked, 3)),
            )
            return [ended]
        case InputKind.TAKEN_OVER:
            return [ev.TakenOver(epoch=given.epoch)]
        case _:
            return []


def record_after(record: CallRecord, at: datetime, events: Sequence[ev.Event]) -> CallRecord:
    """The record's own facts after these events, which happened ``at``. Nothing that was set is unset."""
    for event in events:
        match event:
            case ev.LegStarted(provider=provider):
                record = replace(record, provider=provider, queued=True)
            case ev.Queued():
                record = replace(record, queued=True)
            case ev.LegAnswered(evidence=evidence):
                record = replace(
                    record, answered_at=record.answered_at or at,
                    answer_evidence=record.answer_evidence or evidence,
                )  # fmt: skip
            case ev.TalkEnded():
                record = replace(record, talk_over=True)
            case ev.MessageHeard():
                record = replace(record, message_heard=True)
            case ev.CallBackPromised():
                record = replace(record, call_back=True)
            case ev.HandedBack():
                record = replace(record, handed_back=True)
            case ev.LookedUp(what=what) if what in OF_THE_CALLER and what not in record.looked_up:
                record = replace(record, looked_up=(*record.looked_up, what))
            case _:
                pass
    return record


def happened(sprint: ivr.Sprint) -> Iterator[ev.Event]:
    """What happened on the way of a sprint, in the journal's words."""
    for happening in sprint.happenings:
        match happening:
            case ivr.Entered(node=node):
                yield ev.NodeEntered(node=node)
            case ivr.Chose() as chose:
                yield ev.ChoiceMade(node=chose.node, choice=chose.choice, by=chose.by)
            case ivr.Missed(what="no_input") as missed:
                yield ev.NoInput(node=missed.node, count=missed.count)
            case ivr.Missed() as missed:
                yield ev.NoMatch(node=missed.node, count=missed.count)
            case ivr.Flagged() as flag:
                yield ev.RedFlagHeard(node=flag.node, category=flag.category, lexicon=flag.lexicon, words=flag.words)
            case ivr.Marked() as marked:
                yield ev.MessageHeard(node=marked.node, marker=marked.marker)
            case ivr.Failed() as failed:
                yield ev.SessionFailed(node=failed.node, error_id=failed.error_id)
            case ivr.TextAsked() as asked:
                yield ev.TextRequested(node=asked.node, text=asked.text)
            case ivr.CallBackPromised() as promised:
                yield ev.CallBackPromised(node=promised.node, service=promised.service)
            case ivr.Surveyed() as survey:
                yield ev.SurveyAnswered(node=survey.node, question=survey.question, answer=survey.answer)
            case ivr.Disclosed() as disclosed:
                yield ev.PlanDisclosed(node=disclosed.node, level=disclosed.level)
            case ivr.Needs() as needs:
                yield ev.NeedStated(node=needs.node, need=needs.what, language=needs.language)


def performed(instructions: Iterable[ivr.Instruction], wait_id: str) -> Iterator[ev.Event]:
    """What the network is told to do, as far as the journal keeps it: what the caller hears, and handing back."""
    for instruction in instructions:
        match instruction:
            case ivr.Play(prompts=prompts, personal=personal):
                yield ev.PromptsPlayed(prompts=(READ_BACK,) if personal else prompts, wait_id=wait_id)
            case ivr.HandBack(reason=reason):
                yield ev.HandedBack(reason=reason)


def end_class(record: CallRecord, by: str) -> str:
    """The one end class of a call that was ended ``by`` somebody (rules of counting: docs/safety/rules.md, 8)."""
    if record.answered_at is not None:
        return "answered" if record.answer_evidence == "agent" else "answer_unknown"
    if by == "us":
        return "dropped_by_us"
    if record.handed_back and not record.edge:
        return "answer_unknown"  # this network does not tell whether its fall-back was answered
    if record.call_back:
        return "call_back"
    if record.queued or record.handed_back:
        return "abandoned"
    return "deflected" if record.message_heard else "left_in_message"


def was_dropped(record: CallRecord, by: str) -> bool:
    """Whether we ended it, and neither a talk nor the caller's own choice had come to its end."""
    chosen = any(isinstance(each, ivr.End) for each in record.session.present)
    return by == "us" and not record.talk_over and not chosen


def remembering(record: CallRecord, key: str, reply: Reply) -> CallRecord:
    """The record with the reply under its key, the oldest forgotten beyond :data:`MOST_REPLIES`."""
    replies = {**record.replies, key: reply}
    while len(replies) > MOST_REPLIES:
        del replies[next(iter(replies))]
    return replace(record, replies=replies)


def heard_as(record: CallRecord, given: Input, now: datetime) -> ivr.Heard:
    """The input for the engine, which knows targets and not the services that they were found for."""
    value = given.value.partition(" ")[0] if given.kind is InputKind.OFFERED else given.value
    if not isinstance(record.session.wait, ivr.OfferWait | ivr.LegWait):
        return ivr.Heard(given.kind, value)
    return ivr.Heard(given.kind, value, _waited_s(record, min(given.at, now)))


def _waited_s(record: CallRecord, at: datetime) -> float:
    """How long the present wait has lasted: its deadline less what is left of it. A clock that jumped adds no more."""
    deadline_s = record.session.wait.deadline_s
    if not deadline_s or record.due_at is None:
        return 0.0
    return min(deadline_s, max(0.0, deadline_s - (record.due_at - at).total_seconds()))


def record_noting(record: CallRecord, event: ev.Event, flow: Flow | None = None) -> CallRecord | None:
    """The record with an event that moves nothing; None for one that is not noted.

    That is a look beyond :data:`MOST_LOOKS`, or a recording that was told of before: networks tell such things twice.
    ``flow``: the one that the call is in, where it is known: its facts learn that a plan was confirmed.
    """
    after = replace(record, step=record.step + 1)
    if isinstance(event, ev.RecordingReported):
        key = f"recording.{event.recording}.{event.outcome}"
        return None if key in record.replies else remembering(after, key, after.reply(()))
    if ev.is_agent_there(event) and record.answered_at is not None and record.ended is None:
        after = replace(after, answer_evidence="agent")
    if isinstance(event, ev.PlanChecked) and event.outcome == "confirmed" and flow is not None:
        after = replace(after, session=engine.confirmed(flow, after.session, raises=bool(event.raises)))
    if isinstance(event, ev.RepeatChecked):  # counted here: the journal may lag behind
        if record.looks >= MOST_LOOKS:
            return None
        after = replace(after, looks=record.looks + 1)
    return after
