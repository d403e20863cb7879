"""Which pathway a plan belongs to, and what a look-up of plans says to a flow."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from callrouter.ports import PlanFound
from careplans.kinds import PlanKind
from careplans.model import Candidate, Match, MatchLevel
from careplans.service import CarePlans
from infra.numbers import Number

PATHWAYS: dict[str, frozenset[PlanKind]] = {
    "end_of_life": frozenset({PlanKind.END_OF_LIFE, PlanKind.END_OF_LIFE_COORDINATION}),
    "mental_health": frozenset({PlanKind.CRISIS, PlanKind.HIGH_SERVICE_USE}),
    "frailty": frozenset({PlanKind.FRAILTY}),
    "multiple_sclerosis": frozenset({PlanKind.MULTIPLE_SCLEROSIS}),
}
"""Pathways by urgency: of somebody with several plans the first decides. Any other kind is ``other``."""


def as_found(match: Match) -> PlanFound:
    """The match as a flow hears of it: the pathway only of a plan that was asserted."""
    pathway, stale = _pathway(match.candidates) if match.outcome is MatchLevel.ASSERTED else ("none", False)
    return PlanFound(
        match.outcome.value,  # the word itself: a flow compares words, and a word is not a member of an enumeration
        match.reason,
        raises=any(each.raises for each in match.candidates),
        candidates=tuple(each.plan_id for each in match.candidates),
        people=match.people,
        pathway=pathway,
        stale=stale,
    )


def _pathway(plans: tuple[Candidate, ...]) -> tuple[str, bool]:
    """The pathway, and whether no plan of it is within its review date."""
    for name, kinds in PATHWAYS.items():
        if fitting := [each for each in plans if each.kind in kinds]:
            return name, all(each.stale for each in fitting)
    return "other", all(each.stale for each in plans)


HOUSEHOLD = 6
"""More people with plans than this on one line are no household (a proposal, unverified: docs/repeat-callers.md)."""


class FoundPlans:
    """Care plans as the door asks for them. ``shared``: numbers that many people call from."""

    def __init__(self, plans: CarePlans, shared: frozenset[str] = frozenset()) -> None:
        self._plans = plans
        self._shared = shared

    async def find(self, number: Number) -> PlanFound:
        """Candidates; ``shared_line`` is the reason where the number is one, or more people than a household have."""
        found = as_found(await self._plans.match_number(number))
        if found.outcome == MatchLevel.CANDIDATES and (self._is_listed(number) or found.people > HOUSEHOLD):
            return replace(found, reason="shared_line")
        return found

    async def check_birth_date(self, number: Number, born: date, call_ref: str, *, keyed: bool) -> PlanFound:
        shared = self._is_listed(number)
        return as_found(await self._plans.assert_birth_date(number, born, call_ref, keyed=keyed, shared=shared))

    def _is_listed(self, number: Number) -> bool:
        return number.e164 in self._shared
