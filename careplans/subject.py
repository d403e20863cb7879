"""What is held of a person, written as a draft for whoever answers a subject-access request."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, or_, select

from careplans.audit.tables import plan_audit
from careplans.errors import NoSuchPlan, PlanUnreadable
from careplans.model import same_person
from careplans.sealing import PersonKeys, Sealed, Sealer
from careplans.sources.quarantine import Unread
from careplans.tables import ended_plans, plan_held_versions, plans

DRAFT = (
    "DRAFT for a reviewer. Not to be sent as it is: check that every record is this person's, and take out what would "
    "harm somebody or is of somebody else."
)


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """One record, opened; ``plan`` is our own id.

    In force, withdrawn, replaced while it was under a legal hold, or one that could not be read.
    """

    plan: str
    facts: Mapping[str, Any]


def held_of(connection: Connection, sealer: Sealer, plan: str) -> list[HeldRecord]:
    """Everything held of the person whom ``plan`` is about, newest first, with who looked at it as what and when.

    Raises :class:`NoSuchPlan` where there is none, or it was erased. A record that does not open is named as such.
    """
    rows = [row for table in (plans, ended_plans) for row in _rows(connection, table, table.c.id == plan)]
    if not rows:
        raise NoSuchPlan("no plan is stored under this id")
    keys = PersonKeys(rows[0]["nhs_key"], rows[0]["name_key"])
    found = [
        row
        for table in (plans, ended_plans)
        for row in _rows(connection, table, _may_be(table, keys))
        if same_person(PersonKeys(row["nhs_key"], row["name_key"]), keys)
    ]
    replaced = plan_held_versions.c.plan.in_([row["id"] for row in found])
    found += [
        dict(row) | {"id": row["plan"]}  # under whose id it was sealed
        for row in connection.execute(select(plan_held_versions).where(replaced)).mappings()
    ]
    found.sort(key=lambda row: (row["valid_from"], row["version"]), reverse=True)
    return [HeldRecord(row["id"], _facts(connection, sealer, row)) for row in found]


def unread_held(unread: Unread) -> HeldRecord:
    """A record that could not be read, as its source sent it: it may say of the person what no plan says."""
    said = {f"as sent: {name}": str(value) for name, value in unread.values.items()}
    return HeldRecord(unread.id, {"sender": unread.source, "status": "could not be read", **said, "seen": []})


def write_draft(records: Sequence[HeldRecord], folder: Path, name: str, now: datetime) -> tuple[Path, Path]:
    """Write ``name.json`` and ``name.md`` into ``folder``, readable by their owner only; neither may be there yet."""
    what = {"status": DRAFT, "written_at": now.isoformat(), "records": [record.facts for record in records]}
    paths = folder / f"{name}.json", folder / f"{name}.md"
    for path, text in zip(paths, (json.dumps(what, indent=2, ensure_ascii=False), _words(records, now)), strict=True):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    return paths


def _may_be(table: Table, keys: PersonKeys) -> ColumnElement[bool]:
    """Whoever has no NHS number is sought by name alone: a comparison with nothing would bring all who have none."""
    named = table.c.name_key == keys.name_key
    return named if keys.nhs_key is None else or_(table.c.nhs_key == keys.nhs_key, named)


def _rows(connection: Connection, table: Any, which: Any) -> list[Mapping[str, Any]]:
    query = select(table).where(which, table.c.name_key.is_not(None))
    return [dict(row) for row in connection.execute(query).mappings()]


def _facts(connection: Connection, sealer: Sealer, row: Mapping[str, Any]) -> dict[str, Any]:
    clear = {name: _plain(row[name]) for name in ("source", "author_org", "kind", "valid_from", "review_by", "version")}
    times = {"ended_at": "withdrawn_at", "stored_at": "stored_at", "replaced_at": "replaced_at"}
    when = {said: _plain(row[name]) for name, said in times.items() if name in row}
    sealed = Sealed(row["wrapped_key"], row["person"], row["content"])
    try:
        person, content = sealer.open_person(row["id"], sealed), sealer.open_content(row["id"], sealed)
        secret = {
            "source_id": sealer.open_reference(row["id"], sealed),
            "name": person.full_name,
            "born": _plain(person.birth_date),
            "nhs_number": person.nhs_number,
            "telephones": list(person.numbers),
            "for_whoever_takes_the_call": content.handler_line,
            "for_clinicians": content.detail,
        }
    except PlanUnreadable:
        secret = {"unreadable": "this record does not open; ask the administrator"}
    return {**clear, **when, **secret, "restricted": row["restricted"], "seen": _seen(connection, row["id"])}


def _seen(connection: Connection, plan: str) -> list[dict[str, str]]:
    columns = (plan_audit.c.at, plan_audit.c.role, plan_audit.c.what)
    query = select(*columns).where(plan_audit.c.plan == plan).order_by(plan_audit.c.seq)
    return [{"at": row.at.isoformat(), "role": row.role, "what": row.what} for row in connection.execute(query)]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _words(records: Sequence[HeldRecord], now: datetime) -> str:
    lines = [f"# {DRAFT.partition('.')[0]}: plans held of one person", "", DRAFT, "", f"Written {now.isoformat()}.", ""]
    for number, record in enumerate(records, 1):
        lines += [f"## Record {number}", ""]
        for name, value in record.facts.items():
            if name != "seen":
                text = ", ".join(value) if isinstance(value, list) else str("" if value is None else value)
                lines += [f"- **{name.replace('_', ' ')}**:", *(f"  > {line}" for line in text.splitlines() or [""])]
        lines += [
            "- **seen**:",
            *(f"  - {each['at']}, {each['role']}: {each['what']}" for each in record.facts["seen"]),
        ]
        lines.append("")
    return "\n".join(lines)
