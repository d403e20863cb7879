"""The rivals' records: the same tables as the service's, written plainly and committed before anything is answered.

SQLAlchemy Core on SQLite with the service's own pragmas, or on PostgreSQL, whose tables stand already. Keys and sealing
are the service's (`infra.crypto`): what is compared is the way, not the cipher.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import phonenumbers
from sqlalchemy import Connection, Engine, create_engine, event, select

from callrouter.journal import calls, journal
from callrouter.journal import metadata as journal_tables
from callrouter.repeat.tables import encounters
from callrouter.repeat.tables import metadata as repeat_tables
from careplans.tables import metadata as plan_tables
from careplans.tables import plan_numbers
from infra.crypto import DataKey, KeyRing
from infra.sql import insert_once

PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON")


@dataclass
class Call:
    """One call on its way: rows that are not committed yet, and the number of the last one."""

    call_ref: str
    context: str
    number: str | None
    key: DataKey
    seq: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, kind: str, facts: dict[str, Any], personal: dict[str, Any] | None = None) -> None:
        """One event, its personal fields sealed with the call's key."""
        self.seq += 1
        about = f"journal:{self.call_ref}:{self.seq}".encode()
        sealed = self.key.seal(json.dumps(personal).encode(), about) if personal else None
        self.rows.append(
            {"call_ref": self.call_ref, "seq": self.seq, "at": datetime.now(UTC), "kind": kind, "facts": facts,
             "sealed": sealed}
        )  # fmt: skip


class Records:
    """Opens the database of the environment, or makes it."""

    def __init__(self) -> None:
        self.keys = KeyRing.from_base64(os.environ["BENCH_KEYS"])
        address = os.environ["BENCH_DATABASE"]
        if address.startswith("postgresql"):
            self._engine = create_engine(address, hide_parameters=True, pool_size=16)
        else:
            self._engine = _sqlite(Path(address))
            for metadata in (journal_tables, repeat_tables, plan_tables):
                metadata.create_all(self._engine)
        self._insert_call, self._insert_rows, self._insert_encounter = (
            insert_once(table, self._engine.dialect.name) for table in (calls, journal, encounters)
        )

    def new_call(self, call_ref: str, network: str, dialled: str, presented: str) -> Call:
        """A call and what happens up to its first prompt; not committed yet."""
        number = _e164(presented)
        call = Call(call_ref, secrets.token_hex(16), number, self.keys.new_data_key())
        call.add(
            "offered",
            {"network": network, "dialled": dialled, "cli_class": "present" if number else "unreadable",
             "flow": "london-111", "flow_version": "1", "context": call.context},
            {"number": number},
        )  # fmt: skip
        for node in ("emergency_words", "recording_notice", "main_menu"):
            call.add("node_entered", {"node": node})
        for prompt in ("emergency_999", "recording_notice", "main_menu"):
            call.add("prompts_played", {"prompts": [prompt], "wait_id": "1.1"})
        return call

    def commit_new(self, call: Call) -> None:
        """The call's own row and its first events, in one transaction."""
        row = {"call_ref": call.call_ref, "context": call.context, "offered_at": datetime.now(UTC),
               "wrapped_key": call.key.wrapped}  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(self._insert_call, row)
            self._write(connection, call)

    def commit(self, call: Call) -> None:
        """What has happened since."""
        with self._engine.begin() as connection:
            self._write(connection, call)

    def commit_answered(self, call: Call) -> None:
        """The last events of an answered call, and its place in the index of repeat calls."""
        row = {"call_ref": call.call_ref, "number_hash": self.keys.index("encounter-number", str(call.number)),
               "started_at": datetime.now(UTC)}  # fmt: skip
        with self._engine.begin() as connection:
            self._write(connection, call)
            connection.execute(self._insert_encounter, row)

    def has_plan(self, call: Call) -> bool:
        """Whether there is a care plan for the number."""
        query = select(plan_numbers.c.plan).where(
            plan_numbers.c.number_hash == self.keys.index("plan-number", str(call.number))
        )
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def earlier_calls(self, call: Call) -> int:
        """How many calls of this number there were in 96 hours."""
        query = select(encounters.c.started_at).where(
            encounters.c.number_hash == self.keys.index("encounter-number", str(call.number)),
            encounters.c.started_at >= datetime.now(UTC) - timedelta(hours=96),
        )
        with self._engine.connect() as connection:
            return len(connection.execute(query).all())

    def _write(self, connection: Connection, call: Call) -> None:
        connection.execute(self._insert_rows, call.rows)
        call.rows = []


def _sqlite(database: Path) -> Engine:
    database.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{database}", hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _e164(presented: str) -> str | None:
    try:
        parsed = phonenumbers.parse(presented, "GB")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
