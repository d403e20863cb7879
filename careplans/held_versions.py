"""What plans under a legal hold said before their sources replaced it: kept until the hold is lifted."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from careplans.tables import ended_plans, plan_held_versions, plan_holds, plans
from infra.bulk import one_of

_KEPT = ("source", "version", "author_org", "kind", "valid_from", "review_by", "restricted", "wrapped_key", "person",
         "content")  # fmt: skip


def keep_held(connection: Connection, ids: Sequence[str], now: datetime) -> None:
    """Keep what those of these plans say that are held; to be called before they are replaced, in one transaction."""
    held = (
        connection.execute(select(plan_holds.c.plan).where(one_of(connection, plan_holds.c.plan, ids))).scalars().all()
    )
    for table in (plans, ended_plans) if held else ():
        columns = (table.c.id, *(table.c[name] for name in _KEPT))
        found = select(*columns).where(table.c.id.in_(held), table.c.content.is_not(None), table.c.content != b"")
        rows = [
            {"id": secrets.token_hex(16), "plan": row["id"], "replaced_at": now} | {name: row[name] for name in _KEPT}
            for row in connection.execute(found).mappings()
        ]
        if rows:
            connection.execute(insert(plan_held_versions), rows)


def forget_held(connection: Connection, plan: str) -> None:
    """The hold is lifted: destroy what was kept for it alone. The keys are overwritten where they lie first."""
    c = plan_held_versions.c
    lengths = connection.execute(select(c.id, func.length(c.wrapped_key)).where(c.plan == plan)).all()
    if lengths:
        zeros = update(plan_held_versions).where(c.id == bindparam("row")).values(wrapped_key=bindparam("zeros"))
        connection.execute(zeros, [{"row": row, "zeros": bytes(length)} for row, length in lengths])
        connection.execute(delete(plan_held_versions).where(c.plan == plan))
