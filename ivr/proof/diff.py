"""The difference of two flows: where callers went, where they go now, and how long before a person.

One case for each (area, hours, plan kind and level, repeat outcome, first key): the caller waits for the first menu,
presses the key, and does nothing more. Both flows are played by the engine itself; services are free and answer. Cases
that differ alike stand in one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from ivr import engine
from ivr.actions.lookup import OUTCOMES, Lookup
from ivr.flow import Flow
from ivr.model import (
    LOOKUP_S,
    Answered,
    Gather,
    GatherWait,
    Heard,
    InputKind,
    LookupWait,
    OfferWait,
    Play,
    PlaybackWait,
    Session,
    Sprint,
)
from ivr.proof.lengths import Lengths

KEYS = ("silence", *"0123456789*#")
KINDS = ("other", "raises")
"""Kinds of plan: one that raises its caller (crisis, end of life), or another."""
DIMENSIONS = ("area", "hours", "plan", "kind", "repeat", "key")
ANY = "any"
MOST_INPUTS = 60  # of one call: far more than a flow that passed the check can ask for


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a caller is offered: the services, the band, and the seconds until then."""

    services: tuple[str, ...]
    band: str
    seconds: float

    def __str__(self) -> str:
        return f"{' or '.join(self.services)} ({self.band}), {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Row:
    """One difference. ``case``: for each dimension the values that differ alike, all of them for ``any``."""

    case: Mapping[str, tuple[str, ...]]
    before: Outcome
    after: Outcome


_Case: TypeAlias = tuple[tuple[str, ...], ...]
_Ends: TypeAlias = tuple[Outcome, Outcome]


def differences(before: Flow, after: Flow, lengths: Lengths, lengths_after: Lengths | None = None) -> list[Row]:
    """Only rows that differ, those that differ alike put together."""
    later = lengths_after or lengths
    found: dict[_Case, _Ends] = {}
    ranges = _ranges(before, after)
    for values in product(*ranges):
        known = dict(zip(DIMENSIONS, values, strict=True))
        old, new = _Call(before, lengths, known).outcome(), _Call(after, later, known).outcome()
        if old != new:
            found[tuple((value,) for value in values)] = (old, new)
    for place in reversed(range(len(DIMENSIONS))):
        found = _together(found, place)
    cases = [tuple(map(_any, case, ranges)) for case in found]
    return [
        Row(dict(zip(DIMENSIONS, case, strict=True)), *ends) for case, ends in zip(cases, found.values(), strict=True)
    ]


def _together(found: Mapping[_Case, _Ends], place: int) -> dict[_Case, _Ends]:
    """Cases with the same outcomes that differ in one dimension alone become one."""
    groups: dict[tuple[_Case, _Case, _Ends], list[str]] = {}
    for case, ends in found.items():
        groups.setdefault((case[:place], case[place + 1 :], ends), []).extend(case[place])
    return {(*before, tuple(values), *after): ends for (before, after, ends), values in groups.items()}


def _any(values: tuple[str, ...], every: tuple[str, ...]) -> tuple[str, ...]:
    return (ANY,) if len(values) == len(every) else values


def _ranges(*flows: Flow) -> list[tuple[str, ...]]:
    asked = {node.what for flow in flows for node in flow.nodes.values() if isinstance(node, Lookup)}
    plans = OUTCOMES["plan"] if asked & {"plan", "birth_date"} else (ANY,)
    kinds = KINDS if asked & {"plan", "birth_date"} else (ANY,)

    def outcomes(what: str) -> tuple[str, ...]:
        return OUTCOMES[what] if what in asked else (ANY,)

    return [outcomes("area"), outcomes("hours"), plans, kinds, outcomes("repeat"), KEYS]


class _Call:
    """One caller through one flow, with a clock."""

    def __init__(self, flow: Flow, lengths: Lengths, case: Mapping[str, str]) -> None:
        self._flow, self._lengths, self._case = flow, lengths, case
        self._pressed = False
        self._seconds = 0.0

    def outcome(self) -> Outcome:
        sprint = engine.start(self._flow)
        for _ in range(MOST_INPUTS):
            self._hear(sprint)
            if isinstance(sprint.wait, OfferWait):
                return Outcome(sprint.wait.services, str(sprint.wait.band), round(self._seconds, 1))
            heard = self._next(sprint.session)
            if heard is None:
                break
            sprint = engine.resume(self._flow, sprint.session, heard)
        return Outcome((sprint.wait.kind,), str(sprint.session.band), round(self._seconds, 1))

    def _hear(self, sprint: Sprint) -> None:
        played = (key for each in sprint.instructions if isinstance(each, Play) for key in each.prompts)
        self._seconds += self._lengths.of(played)

    def _next(self, session: Session) -> Heard | Answered | None:
        match session.wait:
            case GatherWait():
                return self._act(session)
            case PlaybackWait():
                return Heard(InputKind.PLAYBACK_FINISHED)
            case LookupWait() as wait:
                self._seconds += LOOKUP_S
                return self._look_up(wait)
            case _:
                return None

    def _act(self, session: Session) -> Heard:
        gather = next(each for each in session.present if isinstance(each, Gather))
        if self._case["key"] == "silence" or self._pressed:
            self._seconds += gather.timeout_s
            return Heard(InputKind.SILENCE)
        self._pressed = True
        return Heard(InputKind.DIGIT, self._case["key"])

    def _look_up(self, wait: LookupWait) -> Answered:
        match wait.what:
            case "plan" | "birth_date":
                raises = self._case["kind"] == "raises" and self._case["plan"] not in ("none", "unavailable")
                return Answered(self._case["plan"], raises=raises)
            case "repeat":
                return Answered(self._case["repeat"], raises=self._case["repeat"] in ("RC", "PRC"))
            case "area" | "hours":
                return Answered(self._case[wait.what])
            case what:
                return Answered(OUTCOMES[what][0] if what in OUTCOMES else "none")


def as_table(rows: Iterable[Row]) -> Iterator[str]:
    """The rows as lines of a table, its head first."""
    lines = [(*DIMENSIONS, "before", "after"), *map(_line, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def _line(row: Row) -> tuple[str, ...]:
    return (*(" ".join(values) for values in row.case.values()), str(row.before), str(row.after))


def as_data(rows: Iterable[Row]) -> list[dict[str, object]]:
    """The rows for ``--json`` and for pages."""
    return [{**row.case, "before": _outcome_data(row.before), "after": _outcome_data(row.after)} for row in rows]


def _outcome_data(outcome: Outcome) -> dict[str, object]:
    return {"services": list(outcome.services), "band": outcome.band, "seconds": outcome.seconds}
