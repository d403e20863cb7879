"""Look-ups: what the flow asks about the world, answered within a budget, or gone on without.

A look-up holds only its own call. A hang-up overtakes it. What is late or fails is journalled with its reason
and becomes the outcome that sends nobody astray: ``unavailable`` for plans, ``ER`` for repeat calls. A port that
has been late or failing three times in a row is not asked for a while: its callers wait for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import structlog

from callrouter import events as ev
from callrouter.announcing import NoMessages, announced
from callrouter.model import CallRecord
from callrouter.nearby import Nearby
from callrouter.ports import (
    KEYS_DO_NOT_FIT,
    CallBackFound,
    CallBacks,
    Meaning,
    Messages,
    PlanFound,
    Plans,
    RepeatFound,
    Repeats,
    Understanding,
)
from infra.ages import age_band
from infra.breaker import Breaker
from infra.clock import Clock
from infra.health import Health
from infra.numbers import Number, NumberClass
from ivr.actions.call_back import LOOK_UP as CALL_BACK
from ivr.actions.call_back import PROMISE
from ivr.actions.lookup import KEYED, NO_ANSWER
from ivr.flow import Flow
from ivr.model import Answered, FactValue, LookupWait

BUDGET_S = 0.250
"""Longest that one look-up may hold its caller."""

PORTS = {"plan": "plans", "repeat": "repeats", "understand": "understanding"}
"""What each look-up asks, by the name that operators see."""

log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Gap:
    """Why there is no answer: ``timed_out``, ``failed``, or ``skipped`` because others just had none."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Overtaken:
    """The caller hung up while we looked."""


class Lookups:
    """Everything that a flow may ask. ``health`` hears of a port that is given up, and when it is back."""

    def __init__(
        self,
        *,
        plans: Plans,
        repeats: Repeats,
        understanding: Understanding,
        clock: Clock,
        messages: Messages | None = None,
        budget_s: float = BUDGET_S,
        health: Health | None = None,
        nearby: Nearby | None = None,
        call_backs: CallBacks | None = None,
    ) -> None:
        self._call_backs = call_backs
        self._plans = plans
        self._repeats = repeats
        self._understanding = understanding
        self._clock = clock
        self._messages = messages or NoMessages()
        self._budget_s = budget_s
        self._health = health or Health(clock)
        self._nearby = nearby or Nearby(clock)
        self._breakers = {what: self._breaker(port) for what, port in PORTS.items()}
        self._breakers["birth_date"] = self._breakers["plan"]  # the same store

    def _breaker(self, port: str) -> Breaker:
        def told(is_open: bool) -> None:
            if is_open:
                self._health.failed(port, "no_answer")
            else:
                self._health.ok(port)

        self._health.ok(port)
        return Breaker(self._clock.monotonic, on_change=told)

    async def answer(
        self, record: CallRecord, wait: LookupWait, flow: Flow, hung_up: asyncio.Future[None]
    ) -> tuple[Answered | None, list[ev.Event]]:
        """An answer and what the journal is told. None and nothing: the caller hung up while we looked."""
        if wait.what == "messages":
            announcing, told = announced(self._messages, record, wait, self._clock.now())
            return announcing, [told]
        began = self._clock.monotonic()
        if (here := self._nearby.answer(record, wait)) is not None:
            looked = ev.LookedUp(what=wait.what, gap="", took_ms=0.0, outcome=here.outcome, reason="here")
            return here, [looked, *self.area_known(record, wait)]
        found: PlanFound | RepeatFound | Meaning | CallBackFound | _Gap | _Overtaken
        if wait.what == CALL_BACK:
            found = await self._of_call_back(record, wait, hung_up)
        else:
            found = await self._guarded(record, wait, flow, hung_up)
        if wait.what == "birth_date":
            # right, wrong and unknown take the same time (docs/safety/rules.md, 3)
            await self._until(began + self._budget_s, hung_up)
        if isinstance(found, _Overtaken):
            return None, []
        took_ms = round((self._clock.monotonic() - began) * 1000, 1)
        answer, event = _as_answer(wait, found, took_ms)
        return answer, [event, *_signals(wait, found, self._clock.now())]

    def area_known(self, record: CallRecord, wait: LookupWait | None = None) -> list[ev.Event]:
        """What the journal is told of where the caller may be: first by their number, then by the postcode of ``wait``.

        At most one event; none for a look-up that is not about a postcode.
        """
        if wait is not None and (wait.what != "area" or not wait.about):
            return []
        known = self._nearby.certain_area(record, wait.about if wait else "")
        return [known] if known else []

    async def _of_call_back(
        self, record: CallRecord, wait: LookupWait, hung_up: asyncio.Future[None]
    ) -> CallBackFound | _Gap | _Overtaken:
        """Not guarded by a breaker: a gap only keeps the caller on the line, where they would wait anyway."""
        if self._call_backs is None:
            return CallBackFound("not_possible")
        asked = self._call_backs
        is_promise = wait.stage == PROMISE
        return await self._within(
            asked.promise(record, wait.about) if is_promise else asked.possible(record), hung_up, wait.what
        )

    async def _guarded(
        self, record: CallRecord, wait: LookupWait, flow: Flow, hung_up: asyncio.Future[None]
    ) -> PlanFound | RepeatFound | Meaning | _Gap | _Overtaken:
        if (known := _without_asking(record.number, wait)) is not None:
            return known
        breaker = self._breakers[wait.what]
        if not breaker.allows():
            return _Gap("skipped")
        found = await self._within(self._ask(record, wait, flow), hung_up, wait.what)
        if isinstance(found, _Gap) or _says_that_it_failed(found):
            breaker.failed()
        elif not isinstance(found, _Overtaken):
            breaker.succeeded()
        return found

    async def _ask(self, record: CallRecord, wait: LookupWait, flow: Flow) -> PlanFound | RepeatFound | Meaning:
        match wait.what:
            case "plan":
                return await self._plans.find(record.number)
            case "birth_date":
                born, keyed = date.fromisoformat(wait.about), wait.stage == KEYED
                return await self._plans.check_birth_date(record.number, born, record.call_ref, keyed=keyed)
            case "repeat":
                return await self._repeats.find(record.number, record.offered_at, resumes=record.resumes)
            case _:
                return await self._understanding.understand(wait.about, flow.vocabulary(wait.node))

    async def _until(self, instant: float, hung_up: asyncio.Future[None]) -> None:
        await asyncio.wait({hung_up}, timeout=max(0.0, instant - self._clock.monotonic()))

    async def _within(
        self, asked: Coroutine[Any, Any, T], hung_up: asyncio.Future[None], what: str
    ) -> T | _Gap | _Overtaken:
        task = asyncio.ensure_future(asked)
        either: set[asyncio.Future[Any]] = {task, hung_up}
        try:
            await asyncio.wait(either, timeout=self._budget_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return _Gap("failed") if task.cancelled() else task.result()
            return _Overtaken() if hung_up.done() else _Gap("timed_out")
        except Exception as error:  # noqa: BLE001
            # any failure of a look-up is the same to the caller: go on without it, to a person
            log.warning("look_up_failed", what=what, error=type(error).__name__)
            return _Gap("failed")
        finally:
            task.add_done_callback(_forget)  # what a late look-up still raises may quote whom it was about
            task.cancel()


def _without_asking(number: Number, wait: LookupWait) -> PlanFound | RepeatFound | None:
    """What is known of a number that may not be looked up; it says nothing about the ports."""
    what = wait.what
    if what == "birth_date" and _born(wait) is None:
        return PlanFound("unavailable", "not_a_date") if wait.about else PlanFound("none", "not_given")
    if number.kind is NumberClass.PRESENT:
        return None
    reason = f"number_{number.kind}"
    if what in ("plan", "birth_date"):
        return PlanFound("none", reason)
    return RepeatFound("IIQ", reason) if what == "repeat" else None


def _says_that_it_failed(found: object) -> bool:
    """A port may know of its store's failure, and say so in time.

    That stored plans have other keys is none: it costs no time, and those that are found must go on being found.
    """
    if isinstance(found, PlanFound) and found.reason == KEYS_DO_NOT_FIT:
        return False
    return isinstance(found, PlanFound | RepeatFound) and found.outcome in ("unavailable", "ER")


def _forget(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _signals(wait: LookupWait, found: object, at: datetime) -> Iterator[ev.Event]:
    """What the caller just gave of what is counted for surges: why they call, their age. Never words, nor a date."""
    if isinstance(found, Meaning) and found.reasons:
        yield ev.ReasonsHeard(node=wait.node, lexicon=found.reason_words, reasons=list(found.reasons))
    if wait.what == "birth_date" and (born := _born(wait)) and (band := age_band(born, at)):
        yield ev.AgeBandKnown(by="caller", band=band)


def _born(wait: LookupWait) -> date | None:
    """The date that a ``birth_date`` look-up is about; None for what is none, in a flow from before the check."""
    try:
        return date.fromisoformat(wait.about)
    except ValueError:
        return None


def _detail_of(found: RepeatFound) -> dict[str, object] | None:
    detail: dict[str, object] = {"earlier": [at.isoformat() for at in found.earlier]} if found.earlier else {}
    return (detail | {"distress": True} if found.distress else detail) or None


def _as_answer(
    wait: LookupWait, found: PlanFound | RepeatFound | Meaning | CallBackFound | _Gap, took_ms: float
) -> tuple[Answered, ev.Event]:
    detail: dict[str, object] | None = None
    match found:
        case PlanFound():
            detail = {"candidates": list(found.candidates), "people": found.people} if found.candidates else None
            facts: dict[str, FactValue] = {"pathway": found.pathway, "stale": found.stale}
            answer = Answered(found.outcome, raises=found.raises, facts=facts)
            reason = found.reason
        case RepeatFound():
            detail = _detail_of(found)
            answer = Answered(found.outcome, raises=found.raises)
            reason = found.reason
        case Meaning():
            outcome = "red_flag" if found.red_flag else "understood" if found.choice else "no_match"
            answer = Answered(
                outcome,
                choice=found.choice,
                red_flag=found.red_flag,
                words=found.words,
                lexicon=found.lexicon,
            )
            reason = "words"
        case CallBackFound():
            answer, reason = Answered(found.outcome, raises=found.raises), wait.stage
        case _Gap(reason=reason):
            answer = Answered(NO_ANSWER.get(wait.what, "no_match"))
    gap = found.reason if isinstance(found, _Gap) else ""
    raises = None if wait.what == "understand" else answer.raises
    event = ev.LookedUp(
        what=wait.what, gap=gap, took_ms=took_ms, outcome=answer.outcome, reason=reason, raises=raises, detail=detail
    )
    return answer, event
