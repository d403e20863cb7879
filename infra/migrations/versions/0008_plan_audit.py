"""The audit of plans as a chain of hashes, with the views of before as its first entries; references, broken glass."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from infra.append_only import protect
from infra.hash_chain import START, link
from infra.sql import UtcDateTime

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH = 500
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_VIEWS = sa.table(
    "plan_views",
    sa.column("id", _BIG), sa.column("at", UtcDateTime()), sa.column("viewer", sa.String()),
    sa.column("role", sa.Text()), sa.column("call_ref", sa.Text()), sa.column("attempt", sa.String()),
    sa.column("plan", sa.String()), sa.column("what", sa.String()),
)  # fmt: skip


def upgrade() -> None:
    _audit()
    _beside_the_audit()
    _access()
    _carry_over(op.get_bind())
    op.drop_table("plan_views")
    protect(op.get_bind(), "plan_audit")


def downgrade() -> None:
    op.create_table(
        "plan_views",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("call_ref", sa.Text(), nullable=False),
        sa.Column("attempt", sa.String(length=32), nullable=False),
        sa.Column("plan", sa.String(length=32), nullable=True),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_plan_views_plan", "plan_views", ["plan"], unique=False)
    op.create_index("ix_plan_views_viewer_call", "plan_views", ["viewer", "call_ref"], unique=False)
    op.get_bind().exec_driver_sql(
        "INSERT INTO plan_views (id, at, viewer, role, call_ref, attempt, plan, what)"
        " SELECT seq, at, actor, role, call_ref, attempt, plan, substr(what, 1, 16) FROM plan_audit ORDER BY seq"
    )
    for table in ("plan_emergencies", "plan_references", "audit_heads", "audit_people", "plan_audit"):
        op.drop_table(table)


def _audit() -> None:
    op.create_table(
        "plan_audit",
        sa.Column("seq", _BIG, autoincrement=False, nullable=False),
        sa.Column("entry", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("call_ref", sa.Text(), nullable=False),
        sa.Column("attempt", sa.String(length=32), nullable=False),
        sa.Column("plan", sa.String(length=32), nullable=True),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("entry"),
    )
    op.create_index("ix_plan_audit_actor_call", "plan_audit", ["actor", "call_ref"], unique=False)
    op.create_index("ix_plan_audit_plan", "plan_audit", ["plan"], unique=False)


def _beside_the_audit() -> None:
    op.create_table(
        "audit_people",
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("actor"),
    )
    op.create_table(
        "audit_heads",
        sa.Column("length", _BIG, autoincrement=False, nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("key", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=88), nullable=False),
        sa.PrimaryKeyConstraint("length"),
    )


def _access() -> None:
    op.create_table(
        "plan_references",
        sa.Column("ref", sa.String(length=16), nullable=False),
        sa.Column("plans", sa.Text(), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_table(
        "plan_emergencies",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("plans", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.Column("reviewed_at", UtcDateTime(), nullable=True),
        sa.Column("reviewer", sa.String(length=64), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_plan_emergencies_at", "plan_emergencies", ["at"], unique=False)


def _carry_over(connection: sa.Connection) -> None:
    before, seq, last = START, 0, None
    while rows := _views_after(connection, last):
        entries: list[dict[str, Any]] = []
        for row in rows:
            seq += 1
            entry = _entry(row, seq, before)
            before = entry["hash"]
            entries.append(entry)
        last = rows[-1].id
        connection.execute(sa.insert(_table(connection)), entries)


def _table(connection: sa.Connection) -> sa.Table:
    table = sa.Table("plan_audit", sa.MetaData(), autoload_with=connection)
    table.c.at.type = UtcDateTime()
    return table


def _views_after(connection: sa.Connection, last: int | None) -> Sequence[Any]:
    query = sa.select(_VIEWS).order_by(_VIEWS.c.id).limit(BATCH)
    return connection.execute(query if last is None else query.where(_VIEWS.c.id > last)).all()


def _entry(row: Any, seq: int, before: str) -> dict[str, Any]:
    """As ``careplans.audit.chain.hash_of`` reckons it."""
    at: datetime = row.at.astimezone(UTC)
    entry = hashlib.sha256(f"plan_views {row.id}".encode()).hexdigest()[:32]
    kept = {"actor": row.viewer, "role": row.role, "call_ref": row.call_ref, "attempt": row.attempt}
    fields = [seq, at.isoformat(), entry, *kept.values(), row.plan, row.what, "", False]
    return {"seq": seq, "entry": entry, "at": at, **kept, "plan": row.plan, "what": row.what, "about": "",
            "late": False, "hash": link(before, fields)}  # fmt: skip
