"""Stored plans as they are shown: opened only once it is settled that they may be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from careplans.folding import fold
from careplans.model import Candidate, Match, MatchLevel, OpenedPlan, group_by_person, is_stale
from careplans.sealing import Sealer
from careplans.store import SealedPlan


def born_on(sealer: Sealer, stored: Sequence[SealedPlan], birth_date: date) -> list[SealedPlan]:
    """The plans of the one person born on that day; empty if there is none, or more than one.

    Restricted plans are left out: they are never found by number (docs/safety/rules.md, 7).
    """
    right = [
        plan
        for plan in stored
        if not plan.found.restricted and sealer.open_person(plan.found.id, plan.sealed).birth_date == birth_date
    ]
    return right if len(group_by_person(right)) == 1 else []


def opened(sealer: Sealer, plans: Sequence[SealedPlan], today: date, *, with_detail: bool) -> tuple[OpenedPlan, ...]:
    """The plans, deciphered, in their order; one that several sources hold once, with the names of all.

    Whoever calls this has recorded that they are shown.
    """
    once = fold(plans, lambda plan: plan.found)
    return tuple(_opened(sealer, plan, also_in, today, with_detail=with_detail) for plan, also_in in once)


def _opened(
    sealer: Sealer, plan: SealedPlan, also_in: tuple[str, ...], today: date, *, with_detail: bool
) -> OpenedPlan:
    found = plan.found
    content, person = sealer.open_content(found.id, plan.sealed), sealer.open_person(found.id, plan.sealed)
    return OpenedPlan(
        plan_id=found.id,
        kind=found.kind,
        source=found.source,
        author_org=found.author_org,
        valid_from=found.valid_from,
        review_by=found.review_by,
        stale=is_stale(found.review_by, today),
        raises=found.kind.raises,
        restricted=found.restricted,
        person=person.full_name,
        handler_line=content.handler_line,
        detail=content.detail if with_detail else None,
        also_in=also_in,
        born=person.birth_date,
    )


def checked(plans: Sequence[OpenedPlan], by: str) -> Match:
    """What it means for a call that a signed-in person checked ``by`` birth_date or ``said``, and these opened.

    ``confirmed``, of one person; with nothing opened the call is as it was: ``candidates``.
    """
    if not plans:
        return Match(MatchLevel.CANDIDATES, by)
    return Match(MatchLevel.CONFIRMED, by, tuple(_candidate(each) for each in plans), people=1)


def _candidate(plan: OpenedPlan) -> Candidate:
    return Candidate(
        plan.plan_id, plan.kind, plan.source, plan.author_org, plan.valid_from, plan.review_by, plan.stale, plan.raises,
        plan.also_in, plan.restricted,
    )  # fmt: skip
