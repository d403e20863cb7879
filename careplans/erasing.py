"""Plans erased for good, and legal holds, which forbid it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from careplans.errors import NoSuchPlan, PlanHeld
from careplans.held_versions import forget_held
from careplans.tables import ended_plans, lock_for_writing, plan_holds, plans
from careplans.withdrawing import ERASED


class WhyErased(StrEnum):
    """Closed, so that no tombstone says more of a person than this."""

    REQUEST = "erasure_request"
    WRONG_PERSON = "wrong_person"
    ENTERED_IN_ERROR = "entered_in_error"
    RETENTION_OVER = "retention_over"


class WhyHeld(StrEnum):
    """Closed, as :class:`WhyErased`."""

    INQUEST = "inquest"
    CLAIM = "claim"
    COMPLAINT = "complaint"
    INVESTIGATION = "investigation"


def erase_plans(connection: Connection, ids: Sequence[str], why: WhyErased, by: str, now: datetime) -> int:
    """Destroy the data keys of these records and all that they sealed; returns how many there were to erase.

    What stays is a tombstone: why, when, by whom (``by``, a keyed hash), of which source, and which versions do not
    come back by themselves. Raises :class:`PlanHeld` if one is under a legal hold, :class:`NoSuchPlan` if one is not
    stored; then nothing is erased.
    """
    lock_for_writing(connection, plans)
    held = connection.execute(select(plan_holds.c.plan).where(plan_holds.c.plan.in_(ids))).scalars().all()
    if held:
        raise PlanHeld(f"under a legal hold, lift it first: {', '.join(sorted(held))}")
    unknown = set(ids) - set(_stored(connection, ids))
    if unknown:
        raise NoSuchPlan("a plan that was named is not stored; nothing was erased")
    _overwrite(connection, ids)
    end = {"why": ERASED, "reason": str(why), "by": by, "ended_at": now, "restricted": False}
    kept = select(*(plans.c[name] for name in _KEPT)).where(plans.c.id.in_(ids))
    live = [{**row, **end} for row in connection.execute(kept).mappings()]
    if live:
        connection.execute(delete(plans).where(plans.c.id.in_(ids)))  # its numbers go with it
        connection.execute(insert(ended_plans), live)
    withdrawn = ended_plans.c.id.in_(ids), ended_plans.c.why != ERASED
    emptied = update(ended_plans).where(*withdrawn).values(dict.fromkeys(_PERSONAL) | end)
    return len(live) + connection.execute(emptied).rowcount


def hold_plan(connection: Connection, plan: str, why: WhyHeld, by: str, now: datetime) -> None:
    """Forbid erasing this plan, by command or by age; what it says is kept though its source replaces it.

    Raises :class:`NoSuchPlan`, and :class:`PlanHeld` if it is."""
    lock_for_writing(connection, plans)
    if not _stored(connection, [plan]):
        raise NoSuchPlan("no plan is stored under this id")
    if connection.execute(select(plan_holds.c.plan).where(plan_holds.c.plan == plan)).first():
        raise PlanHeld("is under a legal hold already")
    connection.execute(insert(plan_holds), {"plan": plan, "since": now, "reason": why, "by": by})


def lift_hold(connection: Connection, plan: str) -> None:
    """Allow it again, and destroy the older versions that were kept for it.

    Raises :class:`NoSuchPlan` where there is no hold.
    """
    lock_for_writing(connection, plans)
    if connection.execute(delete(plan_holds).where(plan_holds.c.plan == plan)).rowcount == 0:
        raise NoSuchPlan("no legal hold is on this plan")
    forget_held(connection, plan)


_KEPT = ("id", "identity", "source", "version", "index_key")
_PERSONAL = (
    "author_org", "kind", "valid_from", "review_by", "nhs_key", "name_key", "surname_key", "wrapped_key", "person",
    "content",
)  # fmt: skip
"""What an erased plan no longer has. Its kind and author say much of somebody, once it is known who it was."""


def _stored(connection: Connection, ids: Sequence[str]) -> list[str]:
    return [
        each
        for table in (plans, ended_plans)
        for each in connection.execute(select(table.c.id).where(table.c.id.in_(ids))).scalars()
    ]


def _overwrite(connection: Connection, ids: Sequence[str]) -> None:
    """Put zeros over the keys where they lie, before their rows go: SQLite leaves what a deleted row held."""
    for table in (plans, ended_plans):
        rows = connection.execute(
            select(table.c.id, func.length(table.c.wrapped_key)).where(
                table.c.id.in_(ids), table.c.wrapped_key.is_not(None)
            )
        )
        zeros = [{"row": row, "zeros": bytes(length)} for row, length in rows]
        if zeros:
            query = update(table).where(table.c.id == bindparam("row")).values(wrapped_key=bindparam("zeros"))
            connection.execute(query, zeros)
