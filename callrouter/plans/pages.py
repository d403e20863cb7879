"""Plans between their service and the pages: who is signed in as the plans know them, and what is shown."""

from __future__ import annotations

from callrouter.handover import OpenedPlan, SignedIn
from careplans.model import OpenedPlan as Opened
from careplans.model import Viewer


def viewer_of(who: SignedIn) -> Viewer:
    """A signed-in person."""
    return Viewer(user=who.user, role=who.role, session=who.session, organisation=who.organisation,
                  name=who.shown)  # fmt: skip


def shown(plan: Opened) -> OpenedPlan:
    """An opened plan as a page shows it."""
    return OpenedPlan(
        person=plan.person,
        kind=plan.kind,
        source=plan.source,
        author_org=plan.author_org,
        valid_from=plan.valid_from,
        review_by=plan.review_by,
        stale=plan.stale,
        handler_line=plan.handler_line,
        detail=plan.detail,
        restricted=plan.restricted,
        also_in=plan.also_in,
    )
