"""The journal by month on PostgreSQL; SQLite keeps it in one table.

The key of a partitioned table must hold what it is partitioned by. That (call_ref, seq) comes once is seen to by the
journal's one writer, which looks before it writes (`callrouter.journal.Journal.write`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.partitions import MONTHS_AHEAD, make_months, months_from
from infra.sql import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    _set_aside()
    _create(key=("call_ref", "seq", "at"), partition_by="RANGE (at)")
    op.execute("CREATE TABLE journal_default PARTITION OF journal DEFAULT")
    _make_months()
    _take_back()


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    _set_aside()
    _create(key=("call_ref", "seq"))
    _take_back()


def _make_months() -> None:
    """Those of the rows, and those that come next."""
    connection = op.get_bind()
    first, last, now = connection.exec_driver_sql("SELECT min(at), max(at), now() FROM journal_before").one()
    if first is not None:
        count = (last.year - first.year) * 12 + last.month - first.month + 2  # the session's zone may be another
        make_months(connection, "journal", "at", months_from(first, count))
    make_months(connection, "journal", "at", months_from(now, MONTHS_AHEAD))


def _set_aside() -> None:
    op.execute("ALTER TABLE journal RENAME TO journal_before")
    op.execute("ALTER INDEX journal_pkey RENAME TO journal_before_pkey")
    op.drop_index("journal_by_time", "journal_before")


def _create(*, key: tuple[str, ...], partition_by: str | None = None) -> None:
    op.create_table(
        "journal",
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint(*key),
        postgresql_partition_by=partition_by,
    )
    op.create_index("journal_by_time", "journal", ["at"], unique=False)


def _take_back() -> None:
    op.execute(
        "INSERT INTO journal (call_ref, seq, at, kind, facts, sealed)"
        " SELECT call_ref, seq, at, kind, facts, sealed FROM journal_before"
    )
    op.execute("DROP TABLE journal_before")
