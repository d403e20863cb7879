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
from sqlalchemy.dialects.sqlite import insert

from alerts.figures.history_tables import kpi_calls, kpi_recontacts
from alerts.figures.history_tables import metadata as figure_tables
from alerts.surges.tables import metadata as surge_tables
from alerts.surges.tables import surge_calls, surge_counts
from callrouter.journal import calls, journal
from callrouter.journal import metadata as journal_tables
from callrouter.repeat.tables import encounter_keys, encounters
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
    offered_at: datetime = field(default_factory=lambda: datetime.now(UTC))
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
            for metadata in (journal_tables, repeat_tables, plan_tables, figure_tables, surge_tables):
                metadata.create_all(self._engine)
        self._insert_call, self._insert_rows = (
            insert_once(each, self._engine.dialect.name) for each in (calls, journal)
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
        row = {"call_ref": call.call_ref, "context": call.context, "offered_at": call.offered_at,
               "wrapped_key": call.key.wrapped}  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(self._insert_call, row)
            self._write(connection, call)

    def commit(self, call: Call) -> None:
        """What has happened since."""
        with self._engine.begin() as connection:
            self._write(connection, call)

    def commit_answered(self, call: Call) -> None:
        """The last events of an answered call, its place in the index of repeat calls, and what it adds to figures."""
        with self._engine.begin() as connection:
            self._write(connection, call)
            self._keep_encounter(connection, call)
            self._keep_figures(connection, call)
            self._count_for_surges(connection, call)

    def _keep_encounter(self, connection: Connection, call: Call) -> None:
        encounter = {"id": call.call_ref, "started_at": call.offered_at, "provider": "one-eleven",
                     "context_key": self.keys.index("encounter-context", call.context)}  # fmt: skip
        key = self.keys.index("encounter-number", str(call.number))
        connection.execute(insert(encounters), encounter)
        connection.execute(insert(encounter_keys), {"key": key, "encounter": call.call_ref, "kind": "number"})

    def _keep_figures(self, connection: Connection, call: Call) -> None:
        now = datetime.now(UTC)
        hour = call.offered_at.replace(minute=0, second=0, microsecond=0)
        waited = [["offered", int((now - call.offered_at).total_seconds() * 1e6)], ["message_end", 10_000]]
        scopes = (("total", ""), ("service", "111"), ("area", "unknown"), ("provider", "one-eleven"))
        shares = [[kind, scope, call.offered_at.isoformat(), "answered", True, waited] for kind, scope in scopes]
        row = {"contact": call.call_ref, "events": call.seq, "parts": [call.call_ref], "offered_at": call.offered_at,
               "ended_at": now, "end_class": "answered", "flow_version": "1", "message": "", "first_hour": hour,
               "last_hour": hour, "shares": shares}  # fmt: skip
        again = {"call_ref": call.call_ref, "number_key": self.keys.index("recontact", str(call.number)),
                 "offered_at": call.offered_at}  # fmt: skip
        connection.execute(insert(kpi_calls), row)
        connection.execute(insert(kpi_recontacts), again)

    def _count_for_surges(self, connection: Connection, call: Call) -> None:
        quarter = int(call.offered_at.timestamp()) // 900
        row = {"call": self.keys.index("surge-call", call.call_ref), "seen_at": datetime.now(UTC), "quarter": quarter,
               "menu": "1", "signals": "other_symptoms", "end_class": "answered"}  # fmt: skip
        one = {"quarter": quarter, "area": "unknown", "demand": 1, "deflected": 0}
        cells = [{"signal": "all", "version": "", **one}, {"signal": "other_symptoms", "version": "1", **one}]
        connection.execute(insert(surge_calls), row)
        more = {"demand": surge_counts.c.demand + 1}
        counted = insert(surge_counts).on_conflict_do_update(index_elements=list(surge_counts.primary_key), set_=more)
        connection.execute(counted, cells)

    def has_plan(self, call: Call) -> bool:
        """Whether there is a care plan for the number."""
        query = select(plan_numbers.c.plan).where(
            plan_numbers.c.number_hash == self.keys.index("plan-number", str(call.number))
        )
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def earlier_calls(self, call: Call) -> int:
        """How many calls of this number there were in 96 hours."""
        query = (
            select(encounters.c.started_at)
            .join(encounter_keys, encounter_keys.c.encounter == encounters.c.id)
            .where(
                encounter_keys.c.key == self.keys.index("encounter-number", str(call.number)),
                encounters.c.started_at >= datetime.now(UTC) - timedelta(hours=96),
            )
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
