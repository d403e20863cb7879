"""Items D13 to D16 counted a second time, by SQL over the raw journal alone; it shares no code with the first count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, text

from infra.sql import UtcDateTime

AROUND = timedelta(days=2)
"""How long after the promise the journal is read for what became of it."""

_SECONDS = {
    "sqlite": "(julianday({0}) - julianday({1})) * 86400.0",
    "postgresql": "EXTRACT(EPOCH FROM {0} - {1})",
}

_QUERY = """
WITH promise AS (
  SELECT call_ref, MIN(at) AS at FROM journal WHERE kind = 'call_back_promised' AND at >= :first AND at < :last
  GROUP BY call_ref
),
reach AS (
  SELECT call_ref, MIN(at) AS at, MIN(facts->>'role') AS role FROM journal
  WHERE kind = 'call_back_tried' AND facts->>'outcome' = 'answered' AND at >= :first AND at < :beyond GROUP BY call_ref
),
over AS (
  SELECT call_ref, MIN(at) AS at, MIN(facts->>'outcome') AS how FROM journal
  WHERE kind = 'call_back_ended' AND at >= :first AND at < :beyond GROUP BY call_ref
),
owed AS (
  SELECT {seconds} AS took FROM promise
  LEFT JOIN reach ON reach.call_ref = promise.call_ref
  LEFT JOIN over ON over.call_ref = promise.call_ref
  WHERE (over.how IS NULL OR over.how IN ('reached', 'gave_up')) AND (reach.role IS NULL OR reach.role = 'clinician')
    AND (:open_too = 1 OR over.at < :cut)
)
SELECT COUNT(*), COUNT(CASE WHEN ROUND(CAST(took AS NUMERIC), 3) <= 1200 THEN 1 END),
       COUNT(CASE WHEN ROUND(CAST(took AS NUMERIC), 3) > 1200 AND ROUND(CAST(took AS NUMERIC), 3) <= 3600 THEN 1 END),
       COUNT(CASE WHEN ROUND(CAST(took AS NUMERIC), 3) > 3600 THEN 1 END)
FROM owed
"""


def recount_call_backs(
    connection: Connection, start: datetime, end: datetime, over_by: datetime | None = None
) -> Mapping[str, int]:
    """Count the promises from ``start`` until before ``end`` again; with ``over_by`` those that were over before it."""
    seconds = _SECONDS[connection.dialect.name].format("reach.at", "promise.at")
    query = text(_QUERY.format(seconds=seconds)).bindparams(
        bindparam("first", start, UtcDateTime), bindparam("last", end, UtcDateTime),
        bindparam("beyond", end + AROUND, UtcDateTime), bindparam("cut", over_by or end, UtcDateTime),
        bindparam("open_too", int(over_by is None)),
    )  # fmt: skip
    counts = connection.execute(query).one()
    return dict(zip(("D13", "D14", "D15", "D16"), map(int, counts), strict=True))
