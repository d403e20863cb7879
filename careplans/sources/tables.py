"""The tables of the sources. What may be personal (a cursor, an id of the source, a bad record) stands sealed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, false

from infra.sql import UtcDateTime

metadata = MetaData()

plan_sources = Table(
    "plan_sources",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("cursor", LargeBinary, nullable=False),
    Column("run", Integer),
    Column("read_at", UtcDateTime),
)
"""How far each source was read. ``run`` is the one that is not finished; ``read_at`` when all there was had been read
the last time."""

plan_runs = Table(
    "plan_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("system", Text),
    Column("whole", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("why", String(32), nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    *(
        Column(name, Integer, nullable=False, server_default="0")
        for name in (
            "records", "imported", "updated", "unchanged", "refused", "nameless", "warnings", "ignored", "withdrawn",
            "would_withdraw", "in_force",
        )
    ),
    Index("ix_plan_runs_source", "source", "id"),
)  # fmt: skip
"""One delivery of a source: a file, a turn through its pages, a message. ``nameless`` counts records without an id that
can be read; ``would_withdraw`` of ``in_force`` is why a run is held."""

plan_run_seen = Table(
    "plan_run_seen",
    metadata,
    Column("run", Integer, primary_key=True),
    Column("plan", String(32), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("line", BigInteger, nullable=False),
)
"""The stored plans that a run has met; of a refused record with version -1. Gone when the run is settled."""

plan_run_gone = Table(
    "plan_run_gone",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("run", Integer, nullable=False, index=True),
    Column("system", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("reference", LargeBinary, nullable=False),
)
"""What a run says is withdrawn, kept until its end: only then is it known whether that is too much."""

plan_quarantine = Table(
    "plan_quarantine",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("record", String(64), nullable=False),
    Column("nameless", Boolean, nullable=False),
    Column("version", BigInteger),
    Column("run", Integer, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("faults", Text, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("times", Integer, nullable=False),
    Column("loaded", Boolean, nullable=False, server_default=false()),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_plan_quarantine_record", "source", "record", unique=True),
)
"""Records that could not be read, with every reason. ``record`` is a keyed hash of system and id, or of all that stands
in it where it has none (``nameless``): by it a corrected record is known again. ``faults`` holds fields and
reasons, no value. ``loaded``: its plan is stored without what could not be read."""
