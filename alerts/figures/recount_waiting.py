"""Who waits now, counted by SQL over the raw journal alone; it shares no code with the live figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from alerts.figures.recount import CALLS, prepared, us_of

LONGEST = timedelta(hours=24)
"""Nobody waits longer: an older call without an end has lost it."""

_QUERY = """
, waits AS (
  -- begun and not over: the wait of who was queued, put through, or failed to be, and whom nobody answered since
  SELECT contact, area, service, offered_us FROM class
  WHERE ended_n IS NULL AND answer_us IS NULL AND offered_us IS NOT NULL
    AND (SELECT MAX(n) FROM ev b WHERE b.contact = class.contact AND kind IN ('queued', 'leg_started', 'leg_failed'))
      > COALESCE((SELECT MAX(n) FROM ev s WHERE s.contact = class.contact
                                            AND kind IN ('leg_answered', 'handed_back', 'ended')), 0)
),
at_provider AS (
  SELECT s.provider, CASE WHEN class.answer_us IS NULL THEN offered_us ELSE first.us END AS since
  FROM leg_state s
  JOIN class ON class.contact = s.contact
  JOIN ev first ON first.contact = s.contact AND first.n = s.first_n
  WHERE not_left = 1 AND (closed_n IS NULL OR closed_n < started_n) AND s.ended_n IS NULL AND offered_us IS NOT NULL
),
waiting AS (
  SELECT 'total' AS scope, offered_us AS since FROM waits
  UNION ALL SELECT 'area:' || area, offered_us FROM waits
  UNION ALL SELECT 'service:' || service, offered_us FROM waits
  UNION ALL SELECT 'provider:' || provider, since FROM at_provider
)
SELECT scope, COUNT(*), MIN(since) FROM waiting WHERE since > :since_us GROUP BY scope ORDER BY scope
"""


def recount_waiting(connection: Connection, now: datetime) -> Mapping[str, tuple[int, float]]:
    """By scope (``provider:kings``) how many callers wait ``now``, and for how many seconds the longest has.

    Of what was told before then. No scope at which nobody waits. Makes temporary tables: for
    :meth:`infra.sql.Database.study`.
    """
    at_us = us_of(now)
    asked = {"all_calls": 1, "cut_us": at_us, "since_us": us_of(now - LONGEST)}
    with prepared(connection, now, now, told_by=now):
        rows = connection.execute(text(CALLS + _QUERY), asked).all()
    return {scope: (int(calls), (at_us - int(since)) / 1_000_000) for scope, calls, since in rows}
