"""Plans that their source has withdrawn: gone from every look-up at once, kept as tombstones."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from careplans.fitting import require_fitting_keys
from careplans.sealing import Sealer
from careplans.tables import ended_plans, lock_for_writing, plans
from careplans.writing import batches

WITHDRAWN = "withdrawn"
ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A plan that its source no longer has.

    ``version`` is the source's own, of the deletion if it has one, else that of the plan. ``absent``: the source did
    not say so, its full list lacked the plan; then the same version brings it back when it stands in a list again.
    """

    source_plan_id: str = field(repr=False)
    version: int
    absent: bool = False

    @property
    def until(self) -> int:
        """The newest version that does not bring the plan back."""
        return self.version - self.absent


def withdraw_plans(
    connection: Connection, sealer: Sealer, source: str, gone: Sequence[Withdrawal], now: datetime
) -> int:
    """End the plans of ``source`` that are no newer than their withdrawal; returns how many were in force.

    In the transaction of ``connection`` they leave every index and look-up. A tombstone stays, so that a late older
    update does not bring one back; a newer one does. A withdrawal that comes before its plan leaves one, too. What the
    plan said is kept, sealed, for whoever must show later what was seen (docs/careplans.md, retention).
    """
    lock_for_writing(connection, plans)
    require_fitting_keys(connection, sealer)
    return sum(_withdraw_batch(connection, sealer, source, batch, now) for batch in batches(gone))


def live_count(connection: Connection, source: str) -> int:
    """How many plans of ``source`` are in force."""
    query = select(func.count()).select_from(plans).where(plans.c.source == source)
    return int(connection.execute(query).scalar_one())


def _withdraw_batch(
    connection: Connection, sealer: Sealer, source: str, batch: Sequence[Withdrawal], now: datetime
) -> int:
    newest: dict[str, Withdrawal] = {}
    tried: dict[str, str] = {}
    for each in batch:
        first, *others = sealer.identities(source, each.source_plan_id)
        tried |= dict.fromkeys((first, *others), first)
        if first not in newest or each.until > newest[first].until:
            newest[first] = each
    live = {tried[row.identity]: row for row in connection.execute(select(plans).where(plans.c.identity.in_(tried)))}
    tombstones = _tombstones(connection, tried)
    end = [(row, newest[identity]) for identity, row in live.items() if row.version <= newest[identity].version]
    _end(connection, end, now)
    _raise(connection, {row: newest[identity] for identity, row in tombstones.items()})
    unknown = {identity: each for identity, each in newest.items() if not each.absent}
    for identity in (*live, *tombstones):
        unknown.pop(identity, None)
    _leave(connection, sealer, source, unknown, now)
    return len(end)


def _tombstones(connection: Connection, tried: dict[str, str]) -> dict[str, str]:
    query = select(ended_plans.c.id, ended_plans.c.identity).where(ended_plans.c.identity.in_(tried))
    return {tried[row.identity]: row.id for row in connection.execute(query)}


_KEPT = (
    "id", "identity", "source", "index_key", "author_org", "kind", "valid_from", "review_by", "restricted", "nhs_key",
    "name_key", "surname_key", "wrapped_key", "person", "content",
)  # fmt: skip


def _end(connection: Connection, end: Sequence[tuple[Row[Any], Withdrawal]], now: datetime) -> None:
    if not end:
        return
    rows = [
        {name: getattr(row, name) for name in _KEPT} | {"version": each.until, "why": WITHDRAWN, "ended_at": now}
        for row, each in end
    ]
    connection.execute(delete(plans).where(plans.c.id.in_([row.id for row, _ in end])))  # its numbers go with it
    connection.execute(insert(ended_plans), rows)


def _raise(connection: Connection, ended: dict[str, Withdrawal]) -> None:
    """A plan withdrawn again, by a newer version: no older one may bring it back."""
    if ended:
        newer = update(ended_plans).where(
            ended_plans.c.id == bindparam("row"), ended_plans.c.version < bindparam("until")
        )
        rows = [{"row": row, "until": each.until} for row, each in ended.items()]
        connection.execute(newer.values(version=bindparam("until")), rows)


def _leave(connection: Connection, sealer: Sealer, source: str, unknown: dict[str, Withdrawal], now: datetime) -> None:
    """Tombstones of plans that never came."""
    rows = []
    for identity, each in unknown.items():
        row = secrets.token_hex(16)
        clear = {"id": row, "identity": identity, "source": source, "index_key": sealer.index_key, "restricted": False,
                 "version": each.until, "why": WITHDRAWN, "ended_at": now}  # fmt: skip
        rows.append(clear | asdict(sealer.seal_reference(row, each.source_plan_id)))
    if rows:
        connection.execute(insert(ended_plans), rows)
