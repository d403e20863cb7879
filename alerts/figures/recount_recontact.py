"""Who rang again, counted a second time, by SQL over the raw journal and the hashes of numbers.

The journal holds no number in clear, so which calls are of one number is told by the hashes alone. When they began and
ended, how, and for which scopes they count is read from the journal; no code is shared with the first count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, text

from alerts.figures.recount import CALLS, MICROSECONDS, prepared, us_of
from infra.sql import UtcDateTime

CODES = ("RECONTACT_BASE", "RECONTACT_1H", "RECONTACT_24H", "RECONTACT_72H")

_RANG = """
INSERT INTO rang
SELECT journal.call_ref, number_key, {microseconds} FROM kpi_recontacts
JOIN journal ON journal.call_ref = kpi_recontacts.call_ref AND kind = 'offered'
WHERE number_key IN (SELECT number_key FROM kpi_recontacts WHERE offered_at >= :first AND offered_at < :last)
"""

_QUERY = """
, gone AS (
  SELECT class.contact, area, service, ended_us, number_key FROM class
  JOIN rang ON rang.call_ref = class.contact
  WHERE how IN ('deflected', 'left_in_message', 'self_served', 'served_elsewhere') AND ended_us IS NOT NULL
    AND offered_us >= :start_us AND offered_us < :end_us
),
back AS (
  SELECT gone.contact, MIN(us) - ended_us AS after_us FROM gone
  LEFT JOIN rang ON rang.number_key = gone.number_key AND us > ended_us
  GROUP BY gone.contact, ended_us
),
scope AS (
  SELECT contact, 'total' AS scope FROM gone
  UNION ALL SELECT contact, 'area:' || area FROM gone
  UNION ALL SELECT contact, 'service:' || service FROM gone
  UNION ALL SELECT gone.contact, 'provider:' || provider FROM gone JOIN leg_state s ON s.contact = gone.contact
)
SELECT scope, COUNT(*), COUNT(CASE WHEN after_us <= 3600000000 THEN 1 END),
       COUNT(CASE WHEN after_us <= 86400000000 THEN 1 END), COUNT(CASE WHEN after_us <= 259200000000 THEN 1 END)
FROM scope JOIN back ON back.contact = scope.contact GROUP BY scope
"""


def recount_recontact(connection: Connection, start: datetime, end: datetime) -> Mapping[str, Mapping[str, int]]:
    """Count who rang from ``start`` until before ``end``, was sent away, and rang again until now, by scope.

    Only while the hashes of these calls are kept (:data:`alerts.figures.recontact.KEPT`). Makes temporary tables: for
    :meth:`infra.sql.Database.study`.
    """
    asked = {"all_calls": 1, "cut_us": us_of(end), "start_us": us_of(start), "end_us": us_of(end)}
    rang = text(_RANG.format(microseconds=MICROSECONDS[connection.dialect.name])).bindparams(
        bindparam("first", start, UtcDateTime), bindparam("last", end, UtcDateTime)
    )
    with prepared(connection, start, end):
        connection.execute(text("CREATE TEMPORARY TABLE rang (call_ref TEXT, number_key TEXT, us BIGINT)"))
        connection.execute(rang)
        connection.execute(text("CREATE INDEX rang_key ON rang (number_key, us)"))
        rows = connection.execute(text(CALLS + _QUERY), asked).all()
        connection.execute(text("DROP TABLE rang"))
    return {scope: dict(zip(CODES, map(int, counts), strict=True)) for scope, *counts in rows}
