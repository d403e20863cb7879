"""Items D13 to D18 counted a second time, by SQL over the raw journal alone; it shares no code with the first count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, text

from infra.sql import UtcDateTime

AROUND = timedelta(days=2)
"""How long before the promise its call may have begun, and after it what became of it is read."""

_SECONDS = {
    "sqlite": "(julianday({0}) - julianday({1})) * 86400.0",
    "postgresql": "EXTRACT(EPOCH FROM {0} - {1})",
}

_QUERY = """
WITH resumed AS (
  -- a call that goes on with one that was cut off, and that one
  SELECT DISTINCT call_ref, facts->>'resumes' AS contact FROM journal
  WHERE kind = 'offered' AND facts->>'resumes' IS NOT NULL AND at >= :before AND at < :beyond
),
told AS (
  SELECT COALESCE(contact, journal.call_ref) AS contact, kind, at, facts FROM journal
  LEFT JOIN resumed ON resumed.call_ref = journal.call_ref
  WHERE kind IN ('call_back_promised', 'call_back_tried', 'call_back_ended') AND at >= :before AND at < :beyond
),
promise AS (
  SELECT contact, MIN(at) AS at FROM told WHERE kind = 'call_back_promised' GROUP BY contact
),
reach AS (
  SELECT contact, MIN(at) AS at, MIN(facts->>'role') AS role FROM told
  WHERE kind = 'call_back_tried' AND facts->>'outcome' = 'answered' GROUP BY contact
),
over AS (
  SELECT contact, MIN(at) AS at, MIN(facts->>'outcome') AS how FROM told WHERE kind = 'call_back_ended' GROUP BY contact
),
made AS (
  SELECT promise.contact, {seconds} AS took,
    CASE WHEN (over.how IS NULL OR over.how IN ('reached', 'gave_up'))
          AND (reach.role IS NULL OR reach.role = 'clinician') THEN 1 ELSE 0 END AS owed
  FROM promise
  LEFT JOIN reach ON reach.contact = promise.contact
  LEFT JOIN over ON over.contact = promise.contact
  WHERE promise.at >= :first AND promise.at < :last AND (:open_too = 1 OR over.at < :cut)
),
part AS (
  SELECT contact AS call_ref, contact FROM made
  UNION
  SELECT resumed.call_ref, resumed.contact FROM resumed JOIN made ON made.contact = resumed.contact
),
began AS (
  SELECT part.call_ref, contact, MIN(at) AS at FROM part JOIN journal ON journal.call_ref = part.call_ref
  WHERE journal.at >= :before GROUP BY part.call_ref, contact
),
ev AS (
  SELECT contact, kind, facts, ROW_NUMBER() OVER (PARTITION BY contact ORDER BY began.at, began.call_ref, seq) AS n
  FROM began JOIN journal ON journal.call_ref = began.call_ref
  WHERE kind IN ('offered', 'area_known', 'queued', 'leg_started') AND journal.at >= :before
),
scope AS (
  SELECT contact, 'total' AS scope FROM made
  UNION
  SELECT contact, 'provider:' || (facts->>'provider') FROM ev WHERE kind = 'leg_started'
  UNION
  SELECT contact, 'area:' || COALESCE((SELECT facts->>'area' FROM ev x WHERE x.contact = ev.contact
                                       AND kind = 'area_known' ORDER BY n DESC LIMIT 1), 'unknown')
  FROM ev WHERE kind = 'offered'
  UNION
  SELECT contact, 'service:' || COALESCE(
    (SELECT facts->>'service' FROM ev x WHERE x.contact = ev.contact AND kind = 'leg_started' ORDER BY n DESC LIMIT 1),
    (SELECT facts->'services'->>0 FROM ev x WHERE x.contact = ev.contact AND kind = 'queued' ORDER BY n LIMIT 1),
    'unknown')
  FROM ev WHERE kind = 'offered'
)
SELECT scope, SUM(owed), COUNT(CASE WHEN owed = 1 AND ROUND(CAST(took AS NUMERIC), 3) <= 1200 THEN 1 END),
       COUNT(CASE WHEN owed = 1 AND ROUND(CAST(took AS NUMERIC), 3) > 1200
                   AND ROUND(CAST(took AS NUMERIC), 3) <= 3600 THEN 1 END),
       COUNT(CASE WHEN owed = 1 AND ROUND(CAST(took AS NUMERIC), 3) > 3600 THEN 1 END)
FROM made JOIN scope ON scope.contact = made.contact GROUP BY scope
"""


def recount_call_backs(
    connection: Connection, start: datetime, end: datetime, over_by: datetime | None = None
) -> Mapping[str, Mapping[str, int]]:
    """Count the promises from ``start`` until before ``end`` again, by scope (``provider:kings``).

    With ``over_by`` those that were over before it.
    """
    seconds = _SECONDS[connection.dialect.name].format("reach.at", "promise.at")
    query = text(_QUERY.format(seconds=seconds)).bindparams(
        bindparam("first", start, UtcDateTime), bindparam("last", end, UtcDateTime),
        bindparam("before", start - AROUND, UtcDateTime), bindparam("beyond", end + AROUND, UtcDateTime),
        bindparam("cut", over_by or end, UtcDateTime), bindparam("open_too", int(over_by is None)),
    )  # fmt: skip
    codes = ("D13", "D14", "D14_60M", "D14_LATER")  # D15 to D18 are of longer promises, and we make none
    return {scope: dict(zip(codes, map(int, counts), strict=True)) for scope, *counts in connection.execute(query)}
