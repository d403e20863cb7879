"""The difference of two flows: where callers went, where they go now, and how long before a person.

One case for each (area, hours, plan kind and level, pathway, repeat outcome, first key, second key): the caller presses
the first key at the first menu, gives a date of birth or a number where one is asked for, and accepts it; presses the
second key at the next menu or question; and does nothing more. Both flows are played by the engine itself; services
are free and answer. What neither flow asks is not told apart. Cases that differ alike stand in one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import TypeAlias

from ivr import engine
from ivr.actions.ask_date import AskDate
from ivr.actions.ask_number import AskNumber
from ivr.actions.lookup import OUTCOMES, OUTPUTS, Lookup
from ivr.actions.menu import Menu
from ivr.actions.read_back import READ_BACK
from ivr.flow import Flow
from ivr.model import (
    LOOKUP_S,
    Answered,
    FactValue,
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

SILENCE = "silence"
KEYS = (SILENCE, *"0123456789*#")
KINDS = ("other", "raises")
"""Kinds of plan: one that raises its caller (crisis, end of life), or another."""
STALE = ", overdue"
PATHWAYS = tuple(f"{each}{late}" for each in OUTPUTS["birth_date"]["pathway"] for late in ("", STALE))
"""Pathways of a plan that was asserted, and whether its review is overdue."""
DIMENSIONS = ("area", "hours", "plan", "kind", "pathway", "repeat", "key", "then")
ANY = "any"
MOST_INPUTS = 60  # of one call: far more than a flow that passed the check can ask for
BORN = "01021980"  # as somebody keys a date of birth; whose it is, the case says


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
    """One difference. ``case``: for each dimension the values that differ alike, all of them for ``any``.

    ``told``: the same in words, the shortest way.
    """

    case: Mapping[str, tuple[str, ...]]
    before: Outcome
    after: Outcome
    told: Mapping[str, str]


class _Unsaid(Exception):
    """The case does not say yet what is asked here: the name of the dimension."""


_Case: TypeAlias = tuple[tuple[str, ...], ...]
_Ends: TypeAlias = tuple[Outcome, Outcome]


def differences(before: Flow, after: Flow, lengths: Lengths, lengths_after: Lengths | None = None) -> list[Row]:
    """Only rows that differ, those that differ alike put together."""
    every = ranges(before, after)

    def cases(old: _Call, new: _Call, known: Mapping[str, str]) -> Iterator[tuple[_Case, _Ends]]:
        try:
            ends = old.outcome(known), new.outcome(known)
        except _Unsaid as asked:
            name = str(asked)
            for value in every[name]:
                yield from cases(copy(old), copy(new), {**known, name: value})
        else:
            if ends[0] != ends[1]:
                yield tuple((known[name],) if name in known else every[name] for name in DIMENSIONS), ends

    first = (_Call(before, lengths), _Call(after, lengths_after or lengths))
    found = dict(cases(*first, {}))
    for place in reversed(range(len(DIMENSIONS))):
        found = _together(found, place)
    return [
        Row(
            {name: _any(values, every[name]) for name, values in zip(DIMENSIONS, case, strict=True)},
            *ends,
            {name: _in_words(values, every[name]) for name, values in zip(DIMENSIONS, case, strict=True)},
        )
        for case, ends in found.items()
    ]


def ranges(*flows: Flow) -> dict[str, tuple[str, ...]]:
    """Every value of each dimension. Second keys: those that some menu of these flows takes."""
    taken = {key for flow in flows for node in flow.nodes.values() if isinstance(node, Menu) for key in node.keys}
    return {
        "area": OUTCOMES["area"], "hours": OUTCOMES["hours"], "plan": OUTCOMES["plan"], "kind": KINDS,
        "pathway": PATHWAYS, "repeat": OUTCOMES["repeat"], "key": KEYS, "then": (SILENCE, *sorted({"0", "1", *taken})),
    }  # fmt: skip


def _together(found: Mapping[_Case, _Ends], place: int) -> dict[_Case, _Ends]:
    """Cases with the same outcomes that differ in one dimension alone become one."""
    groups: dict[tuple[_Case, _Case, _Ends], list[str]] = {}
    for case, ends in found.items():
        groups.setdefault((case[:place], case[place + 1 :], ends), []).extend(case[place])
    return {(*before, tuple(values), *after): ends for (before, after, ends), values in groups.items()}


def _any(values: tuple[str, ...], every: tuple[str, ...]) -> tuple[str, ...]:
    return (ANY,) if len(values) == len(every) else values


def _in_words(values: tuple[str, ...], every: tuple[str, ...]) -> str:
    others = [each for each in every if each not in values]
    if not others:
        return ANY
    return f"all but {'; '.join(others)}" if len(others) < len(values) - 1 else "; ".join(values)


class _Call:
    """One caller through one flow, with a clock. A copy of it goes on from where it is, in another case."""

    def __init__(self, flow: Flow, lengths: Lengths) -> None:
        self._flow, self._lengths = flow, lengths
        self._read = frozenset(name for node in flow.nodes.values() for move in node.moves() for name in move.reads)
        self._case: Mapping[str, str] = {}
        self._keys: tuple[str, ...] = ("key", "then")
        self._seconds = 0.0
        self._inputs = 0
        self._sprint = engine.start(flow)
        self._hear(self._sprint)

    def outcome(self, case: Mapping[str, str]) -> Outcome:
        """Go on to where the caller is offered. Raises :class:`_Unsaid`, and stands where it was asked."""
        self._case = case
        while self._inputs < MOST_INPUTS and not isinstance(self._sprint.wait, OfferWait):
            heard = self._next(self._sprint.session)
            if heard is None:
                break
            self._sprint = engine.resume(self._flow, self._sprint.session, heard)
            self._hear(self._sprint)
            self._inputs += 1
        wait, seconds = self._sprint.wait, round(self._seconds, 1)
        if isinstance(wait, OfferWait):
            return Outcome(wait.services, str(wait.band), seconds)
        return Outcome((wait.kind,), str(self._sprint.session.band), seconds)

    def _said(self, name: str) -> str:
        if name not in self._case:
            raise _Unsaid(name)
        return self._case[name]

    def _hear(self, sprint: Sprint) -> None:
        played = (key for each in sprint.instructions if isinstance(each, Play) for key in each.prompts)
        self._seconds += self._lengths.of(played)

    def _next(self, session: Session) -> Heard | Answered | None:
        match session.wait:
            case GatherWait() as wait:
                return self._act(session, wait)
            case PlaybackWait():
                return Heard(InputKind.PLAYBACK_FINISHED)
            case LookupWait() as wait:
                found = self._look_up(session, wait)
                self._seconds += LOOKUP_S
                return found
            case _:
                return None

    def _act(self, session: Session, wait: GatherWait) -> Heard:
        gather = next(each for each in session.present if isinstance(each, Gather))
        key = self._given(session, wait)
        if key is None and gather.digits == 1 and self._keys:
            key, self._keys = self._said(self._keys[0]), self._keys[1:]
        if key is None or key == SILENCE:
            self._seconds += gather.timeout_s
            return Heard(InputKind.SILENCE)
        return Heard(InputKind.DIGIT, key)

    def _given(self, session: Session, wait: GatherWait) -> str | None:
        """What the caller keys who is asked for a date or a number, and accepts when it is read back."""
        match self._flow.node(session.node):
            case AskDate() | AskNumber() if wait.stage == READ_BACK:
                return "1"
            case AskDate():
                return BORN
            case AskNumber() as node:
                return "1" * node.least
            case _:
                return None

    def _look_up(self, session: Session, wait: LookupWait) -> Answered:
        match wait.what:
            case "plan" | "birth_date":
                return self._plan(session)
            case "repeat":
                outcome = self._said("repeat")
                return Answered(outcome, raises=outcome in ("RC", "PRC"))
            case "area" | "hours" if self._is_read(session):
                return Answered(self._said(wait.what))
            case what:
                return Answered(OUTCOMES[what][0] if what in OUTCOMES else "none")

    def _is_read(self, session: Session) -> bool:
        """Whether anything in the flow depends on what is looked up here."""
        node = self._flow.node(session.node)
        return isinstance(node, Lookup) and bool(self._read & {node.into, *node.also.values()})

    def _plan(self, session: Session) -> Answered:
        level, node = self._said("plan"), self._flow.node(session.node)
        raises = (
            level not in ("none", "unavailable") and self._said("kind") == "raises"
        )  # the engine raises the unknown
        facts: dict[str, FactValue] = {}
        if isinstance(node, Lookup) and node.also and level in ("asserted", "confirmed"):
            pathway = self._said("pathway")
            facts = {"pathway": pathway.removesuffix(STALE), "stale": pathway.endswith(STALE)}
        return Answered(level, raises=raises, facts=facts)


def as_table(rows: Iterable[Row]) -> Iterator[str]:
    """The rows as lines of a table, its head first."""
    lines = [(*DIMENSIONS, "before", "after"), *map(_line, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def _line(row: Row) -> tuple[str, ...]:
    return (*row.told.values(), str(row.before), str(row.after))


def as_data(rows: Iterable[Row]) -> list[dict[str, object]]:
    """The rows for ``--json`` and for pages."""
    return [{**row.case, "before": _outcome_data(row.before), "after": _outcome_data(row.after)} for row in rows]


def _outcome_data(outcome: Outcome) -> dict[str, object]:
    return {"services": list(outcome.services), "band": outcome.band, "seconds": outcome.seconds}
