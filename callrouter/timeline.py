"""The journal in plain words: one line for each event that a person who answers wants to see."""

from __future__ import annotations

from collections.abc import Iterable

from callrouter import events as ev
from callrouter.handover import TimelineRow

_REPEAT = {
    "PRC": "Possible repeat caller: this number called 111 at least twice in the last four days",
    "RC": "Repeat caller: at least the third call in four days",
    "NRC": "Not a repeat caller by number",
    "IIQ": "Earlier calls could not be looked up: there is no calling number",
    "ER": "Earlier calls could not be looked up in time: ask the caller",
}

_CHECKED = {
    "birth_date": "checked the date of birth that the caller gave",
    "said": "said that they have checked whom they speak with",
}
_FITTED = {"confirmed": ": confirmed", "candidates": ": it fits no plan here"}
"""By outcome; of a call whose key was destroyed none is known any more."""
_TEXTED = {
    "sent": "was sent",
    "delivered": "reached the caller's telephone",
    "failed": "did not reach the caller: say where to find it",
    "given_up": "could not be sent, or may not have arrived: say where to find it",
}

_TO_CREW = {"crew": "notice to the crew", "correction": "correction to the crew"}
_TOLD_CREW = {
    "sent": "was sent",
    "delivered": "reached their device",
    "failed": "did not reach their device: tell ambulance control by telephone",
    "given_up": "could not be sent, or may not have arrived: tell ambulance control by telephone",
}
_RUNG = {"answered": "they answered", "no_answer": "no answer", "busy": "engaged", "failed": "not to be reached there"}
_CALL_BACK = {
    "reached": "the caller was reached",
    "gave_up": "three tries in vain, given to a clinician as a welfare task",
    "rang_again": "the caller rang again, and a person answered",
    "withdrawn": "a person answered before the caller hung up",
}
_REPEAT_OF_PATIENT = {
    "PRC": "Possible repeat caller: a similar patient called at least twice in the last four days",
    "RC": _REPEAT["RC"],
    "NRC": "Not a repeat caller",
    "IIQ": "Too little is known of earlier calls to tell",
    "ER": _REPEAT["ER"],
}


def in_words(event: ev.Event, names: dict[str, str]) -> str | None:
    """The event as a sentence; None for what helps nobody. ``names`` maps provider ids to names."""
    return _of_the_menu(event) or _of_look_ups(event) or _of_promises(event) or _of_the_line(event, names)


def _of_the_menu(event: ev.Event) -> str | None:
    """What the caller did and heard."""
    match event:
        case ev.Offered():
            return "Call arrived"
        case ev.ChoiceMade(choice=choice, by=by):
            return f"Chose “{choice.replace('_', ' ')}” by {by}"
        case ev.NoInput():
            return "Said and pressed nothing"
        case ev.NoMatch():
            return "Was not understood"
        case ev.RedFlagHeard(category=category, words=words):
            return f"Red flag ({category.replace('_', ' ')}): “{words}” — unverified, by speech" if words else None
        case ev.MessageHeard(marker=marker):
            return f"Heard the {marker} message to its end"
        case ev.NeedStated(need="interpreter", language=language):
            return f"Needs an interpreter ({language})"
        case ev.NeedStated():
            return "Calls by text relay"
        case ev.SessionFailed(error_id=error_id):
            return f"The menu failed ({error_id}); sent on to 111"
        case _:
            return None


def _of_look_ups(event: ev.Event) -> str | None:
    """What was found out about the caller."""
    match event:
        case ev.LookedUp(what="plan", outcome=outcome, detail=detail):
            return _plan_in_words(outcome, int((detail or {}).get("people", 0)))
        case ev.LookedUp(what="repeat", outcome=outcome):
            return _REPEAT.get(outcome)
        case ev.RepeatChecked(outcome=outcome):
            return f"Looked again with the patient’s details. {_REPEAT_OF_PATIENT.get(outcome, outcome)}"
        case ev.RepeatAnswered(answer=answer):
            return f"Asked about earlier calls: {answer.replace('_', ' ')}"
        case ev.LookedUp(what="birth_date", outcome=outcome):
            return "Keyed a date of birth: it fits a plan" if outcome == "asserted" else "Keyed a date of birth"
        case ev.PlanChecked() as e:
            return f"A {e.role} {_CHECKED[e.by]}{_FITTED.get(e.outcome, '')}"
        case _:
            return None


def _of_promises(event: ev.Event) -> str | None:
    """What is done besides the call: texts, notices to crews, call-backs."""
    match event:
        case ev.TextRequested(text=text):
            return f"Asked for the text “{text.replace('_', ' ')}”"
        case ev.TextReported(text=text, outcome=outcome):
            return f"The text “{text.replace('_', ' ')}” {_TEXTED.get(outcome, outcome)}"
        case ev.AmbulanceRequested(device=device):
            return f"Ambulance requested: the crew with {device} is told that a care plan exists"
        case ev.CrewTold(what=what, outcome=outcome):
            return f"The {_TO_CREW.get(what, what)} {_TOLD_CREW.get(outcome, outcome)}"
        case ev.CallBackPromised():
            return "Was promised a call back, and keeps the place in the queue"
        case ev.CallBackOpened(role=role):
            return f"The call-back was opened by a {role}"
        case ev.CallBackTried(outcome=outcome):
            return f"Was called back: {_RUNG.get(outcome, outcome)}"
        case ev.CallBackEnded(outcome=outcome):
            return f"Call-back over: {_CALL_BACK.get(outcome, outcome)}"
        case _:
            return None


def _of_the_line(event: ev.Event, names: dict[str, str]) -> str | None:
    """Who was rung, who answered, how it ended."""
    match event:
        case ev.Queued(band=band):
            return f"Waiting for a person, {band} priority"
        case ev.LegStarted(provider=provider):
            return f"Calling {names.get(provider, provider)}"
        case ev.LegFailed(provider=provider, cause="left_for_111"):
            return f"The caller pressed 0 while {names.get(provider, provider)} was rung, and went on to 111"
        case ev.LegFailed(provider=provider, cause=cause):
            return f"{names.get(provider, provider)} did not take the call ({cause.replace('_', ' ')})"
        case ev.LegAnswered(provider=provider):
            return f"{names.get(provider, provider)} answered"
        case ev.TalkEnded(by=by):
            return f"Talk ended by {by}"
        case ev.RecordingReported(outcome="completed", seconds=seconds):
            return f"The talk was recorded ({seconds} s)"
        case ev.RecordingReported():
            return "There is no recording of the talk, though one was asked for"
        case ev.HandedBack():
            return "Given to the network's fall-back to 111"
        case ev.TakenOver():
            return "Taken over by another worker"
        case ev.Ended(end_class=end_class, by=by):
            return f"Call ended by {by}: {end_class.replace('_', ' ')}"
        case _:
            return None


def _plan_in_words(outcome: str, people: int) -> str:
    if outcome == "unavailable":
        return "Plans could not be looked up: this does not mean that there is none"
    if people > 1:
        return f"{people} possible people with plans on this line"
    return "1 possible plan on this line" if people else "No plan by number"


def rows(recorded: Iterable[ev.Recorded], names: dict[str, str]) -> tuple[TimelineRow, ...]:
    """The time line of a call."""
    told = ((each.at, in_words(each.event, names)) for each in recorded)
    return tuple(TimelineRow(at, text) for at, text in told if text is not None)
