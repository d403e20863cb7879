"""A call as its journal tells it: the one fold from events to what a person wants to know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from callrouter import events as ev


@dataclass(frozen=True, slots=True)
class Choice:
    """Something the caller chose: ``choice`` as the flow's author named it, ``by`` key or speech."""

    at: datetime
    node: str
    choice: str
    by: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look-up brought: outcome and reason in clear, ``detail`` as it was sealed."""

    at: datetime
    outcome: str
    reason: str
    took_ms: float
    detail: dict[str, Any] | None = None
    raises: bool = False

    @property
    def distress(self) -> bool:
        """Whether three calls of this number were just ended by the caller before a person answered."""
        return bool((self.detail or {}).get("distress", False))

    @property
    def candidates(self) -> list[str]:
        """Opaque ids of possible plans."""
        return list((self.detail or {}).get("candidates", ()))

    @property
    def people(self) -> int:
        """How many different people those plans are about."""
        return int((self.detail or {}).get("people", 0))


@dataclass(frozen=True, slots=True)
class RedFlag:
    """Words that made this call urgent, and where they were said."""

    at: datetime
    category: str
    words: str | None


@dataclass(frozen=True, slots=True)
class CallView:
    """One call, folded from its events. Times are UTC; None means that it has not happened."""

    call_ref: str
    context: str = ""
    network: str = ""
    dialled: str = ""
    cli_class: str = ""
    number: str | None = None
    flow: str = ""
    resumes: str | None = None
    offered_at: datetime | None = None
    queued_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    end_class: str = "in_progress"
    ended_by: str = ""
    provider: str | None = None
    service: str | None = None
    band: str = ""
    answer_evidence: str | None = None
    talk_s: float | None = None
    node: str = ""
    choices: tuple[Choice, ...] = ()
    red_flags: tuple[RedFlag, ...] = ()
    findings: tuple[tuple[str, Finding], ...] = ()
    providers_tried: tuple[str, ...] = ()
    session_failed: str | None = None
    handed_back: str | None = None
    epochs: int = 1
    repeat_answer: str = ""
    confirmed_by: str = ""
    """How a signed-in person confirmed whose plan it is: ``birth_date`` or ``said``; empty if nobody did."""
    confirmed_at: datetime | None = None
    unmatched_at: datetime | None = None
    """When the newest check was, if it fitted nobody."""

    @property
    def plan_level(self) -> str:
        """How sure we are by now whose plan it is (docs/safety/rules.md, 3); empty where nobody has looked."""
        plan, keyed = self.finding("plan"), self.finding("birth_date")
        if self.confirmed_by:
            return "confirmed"
        if keyed is not None and keyed.outcome == "asserted":
            return keyed.outcome
        return plan.outcome if plan else ""

    @property
    def in_distress(self) -> bool:
        """Whether the look-up found three calls of this number that the caller had just ended early."""
        return any(found.distress for what, found in self.findings if what == "repeat")

    def finding(self, what: str) -> Finding | None:
        """The newest answer of the look-up ``what`` (plan, repeat)."""
        return next((found for name, found in reversed(self.findings) if name == what), None)

    @property
    def is_over(self) -> bool:
        """Whether the caller has gone."""
        return self.ended_at is not None


def fold(recorded: Iterable[ev.Recorded]) -> CallView | None:
    """The call that these events, in order, describe; None for no events. Unknown gaps are left as they are."""
    view: CallView | None = None
    for each in recorded:
        view = advance(view or CallView(each.call_ref), each)
    return view


def advance(view: CallView, recorded: ev.Recorded) -> CallView:
    """``view`` after one more event. The life of a call only moves forward: nothing set is unset.

    But a check that did not match is not told any more once one has matched. One case for each event.
    """
    at = recorded.at
    match recorded.event:
        case ev.Offered() as e:
            return replace(
                view, context=e.context, network=e.network, dialled=e.dialled, cli_class=e.cli_class,
                number=e.number, flow=e.flow, resumes=e.resumes, offered_at=at,
            )  # fmt: skip
        case ev.NodeEntered(node=node):
            return replace(view, node=node)
        case ev.ChoiceMade() as e:
            return replace(view, choices=(*view.choices, Choice(at, e.node, e.choice, e.by)))
        case ev.RedFlagHeard() as e:
            return replace(view, red_flags=(*view.red_flags, RedFlag(at, e.category, e.words)))
        case ev.LookedUp() as e:
            found = Finding(at, e.outcome, e.reason, e.took_ms, e.detail, bool(e.raises))
            return replace(view, findings=(*view.findings, (e.what, found)))
        case ev.RepeatChecked() as e:
            checked = Finding(at, e.outcome, e.reason, 0.0, {"earlier": e.earlier} if e.earlier else None)
            return replace(view, findings=(*view.findings, ("repeat", checked)))
        case ev.PlanChecked(outcome="confirmed", by=by):
            return replace(view, confirmed_by=by, confirmed_at=at, unmatched_at=None)
        case ev.PlanChecked(outcome="candidates"):
            return replace(view, unmatched_at=at)
        case ev.RepeatAnswered(answer=answer):
            return replace(view, repeat_answer=answer)
        case ev.Queued() as e:
            return replace(view, queued_at=view.queued_at or at, band=e.band)
        case ev.LegStarted() as e:
            return replace(view, provider=e.provider, service=e.service, band=e.band)
        case ev.LegAnswered() as e:
            return replace(view, provider=e.provider, answered_at=at, answer_evidence=e.evidence)
        case ev.LegFailed() as e:
            return replace(view, provider=None, providers_tried=(*view.providers_tried, e.provider))
        case ev.TalkEnded() as e:
            return replace(view, talk_s=e.talk_s)
        case ev.ContextOpened() as e if ev.is_agent_there(e) and view.answered_at and not view.ended_at:
            return replace(view, answer_evidence="agent")
        case ev.TakenOver(epoch=epoch):
            return replace(view, epochs=epoch)
        case ev.SessionFailed(error_id=error_id):
            return replace(view, session_failed=view.session_failed or error_id)
        case ev.HandedBack(reason=reason):
            return replace(view, handed_back=reason)
        case ev.Ended() as e if view.ended_at is None:
            return replace(view, ended_at=at, end_class=e.end_class, ended_by=e.by)
        case _:
            return view
