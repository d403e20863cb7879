"""The figures of a stretch of time counted a second time, by SQL over the raw journal alone.

Written from docs/safety/rules.md, 8, and the list of item codes, and sharing no code with the live figures or their
history, so that a mistake in either shows: the three are compared each night, and in tests. Temporary tables keep
it to some seconds for a city's day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Connection, bindparam, text

from infra.sql import UtcDateTime

Counts: TypeAlias = Mapping[str, Mapping[tuple[str, str, int], tuple[int, int]]]
"""By scope (``provider:kings``): of (``end``, class, 0), (``routed``, ``""``, 0) and (clock, group, second) the calls,
and the exact microseconds that they took together."""

AROUND = timedelta(days=1)
"""How far around the time the journal is read: no call lasts longer."""

MICROSECONDS = {
    # of the column "at"
    # without its fraction: SQLite rounds an instant to milliseconds, and .9999 s up to the next second
    "sqlite": "(CAST(strftime('%s', substr(at, 1, 19)) AS INTEGER) * 1000000 + CAST(substr(at, 21, 6) AS INTEGER))",
    "postgresql": "CAST(EXTRACT(EPOCH FROM at) * 1000000 AS BIGINT)",
}

_TABLES = (
    """CREATE TEMPORARY TABLE raw (call_ref TEXT, seq INTEGER, kind TEXT, facts JSON, us BIGINT, provider TEXT,
                                   evidence TEXT)""",
    """CREATE TEMPORARY TABLE ev (contact TEXT, call_ref TEXT, from_last INTEGER, kind TEXT, us BIGINT, facts JSON,
                                  provider TEXT, evidence TEXT, n INTEGER)""",
    "CREATE TEMPORARY TABLE answer (contact TEXT, provider TEXT, n INTEGER, us BIGINT)",
)
"""What is looked at again and again for each call, under an index: without it a day of 8,000 calls takes minutes."""

_RAW = """
INSERT INTO raw
SELECT call_ref, seq, kind, facts, {microseconds}, facts->>'provider', facts->>'evidence'
FROM journal
WHERE at >= :first AND at < :last AND kind IN (
  'offered', 'node_entered', 'area_known', 'message_heard', 'queued', 'leg_started', 'leg_answered', 'leg_failed',
  'talk_ended', 'context_opened', 'session_failed', 'handed_back', 'ended')
"""

_EVENTS = """
INSERT INTO ev
WITH
-- a resumed call is one call with the one that it resumes
part AS (
  SELECT call_ref, MIN(us) AS began, COALESCE(MAX(facts->>'resumes'), call_ref) AS contact,
         MIN(CASE WHEN kind = 'ended' THEN seq END) AS ended_seq
  FROM raw GROUP BY call_ref
),
part_order AS (
  SELECT call_ref, contact, began, ended_seq,
         ROW_NUMBER() OVER (PARTITION BY contact ORDER BY began DESC, call_ref DESC) AS from_last
  FROM part
)
-- what is told after the end of its part counts for nothing; n is the order within the whole call
SELECT contact, raw.call_ref, from_last, kind, us, facts, provider, evidence,
       ROW_NUMBER() OVER (PARTITION BY contact ORDER BY began, raw.call_ref, seq) AS n
FROM raw JOIN part_order ON part_order.call_ref = raw.call_ref
WHERE ended_seq IS NULL OR seq <= ended_seq
"""

_ANSWERS = """
-- somebody who takes calls opened the page of a caller whom a switch alone had answered
INSERT INTO answer
WITH opened AS (
  SELECT contact, call_ref, n, us,
         (SELECT MAX(s.n) FROM ev s WHERE s.contact = c.contact AND s.call_ref = c.call_ref
                                      AND s.kind = 'leg_answered' AND s.n < c.n) AS switch_n
  FROM ev c WHERE kind = 'context_opened' AND facts->>'role' IN ('handler', 'clinician')
)
SELECT contact, provider, n, us FROM ev WHERE kind = 'leg_answered' AND evidence = 'agent'
UNION ALL
SELECT o.contact, s.provider, o.n, o.us FROM opened o JOIN ev s ON s.contact = o.contact AND s.n = o.switch_n
WHERE s.evidence <> 'agent' AND NOT EXISTS (
  SELECT 1 FROM ev x WHERE x.contact = o.contact AND x.provider = s.provider AND x.n > s.n AND x.n < o.n
                       AND x.kind IN ('leg_failed', 'talk_ended'))
"""

CALLS = """
WITH mark AS (
  SELECT contact,
         MIN(CASE WHEN kind = 'offered' THEN n END) AS offered_n,
         MAX(CASE WHEN kind = 'ended' AND from_last = 1 THEN n END) AS ended_n,
         MAX(CASE WHEN kind = 'leg_answered' AND from_last = 1 THEN n END) AS last_answered_n,
         MIN(CASE WHEN kind = 'leg_answered' AND evidence <> 'agent' THEN n END) AS switch_n,
         MAX(CASE WHEN kind = 'message_heard' THEN n END) AS message_n,
         MAX(CASE WHEN kind = 'area_known' THEN n END) AS area_n,
         MAX(CASE WHEN kind = 'leg_started' THEN n END) AS leg_n,
         MIN(CASE WHEN kind = 'queued' THEN n END) AS queued_n,
         MAX(CASE WHEN kind = 'node_entered' THEN 1 ELSE 0 END) AS routed,
         (SELECT MIN(a.n) FROM answer a WHERE a.contact = ev.contact) AS answer_n
  FROM ev GROUP BY contact
),
waited AS (
  SELECT ev.contact, MIN(ev.n) AS wait_n FROM ev JOIN mark ON mark.contact = ev.contact
  WHERE kind IN ('queued', 'leg_started', 'leg_failed') AND (answer_n IS NULL OR ev.n < answer_n)
  GROUP BY ev.contact
),
fact AS (
  SELECT mark.contact, routed, offered.us AS offered_us, offered.facts->>'flow' AS flow, ended.us AS ended_us,
         ended.facts->>'end_class' AS told, mark.ended_n, answered.us AS answer_us, switch.us AS switch_us,
         waits.us AS wait_us, message.us AS message_us,
         COALESCE(area.facts->>'area', 'unknown') AS area,
         COALESCE(leg.facts->>'service', queued.facts->'services'->>0, 'unknown') AS service,
         CASE WHEN last.evidence <> 'agent' AND NOT EXISTS (
           SELECT 1 FROM ev x WHERE x.contact = last.contact AND x.provider = last.provider AND x.n > last.n
                                AND x.kind IN ('leg_failed', 'talk_ended')) THEN 1 ELSE 0 END AS at_switch
  FROM mark
  LEFT JOIN waited ON waited.contact = mark.contact
  LEFT JOIN ev offered ON offered.contact = mark.contact AND offered.n = offered_n
  LEFT JOIN ev ended ON ended.contact = mark.contact AND ended.n = ended_n
  LEFT JOIN ev answered ON answered.contact = mark.contact AND answered.n = answer_n
  LEFT JOIN ev switch ON switch.contact = mark.contact AND switch.n = switch_n
  LEFT JOIN ev waits ON waits.contact = mark.contact AND waits.n = wait_n
  LEFT JOIN ev message ON message.contact = mark.contact AND message.n = message_n
  LEFT JOIN ev area ON area.contact = mark.contact AND area.n = area_n
  LEFT JOIN ev leg ON leg.contact = mark.contact AND leg.n = leg_n
  LEFT JOIN ev queued ON queued.contact = mark.contact AND queued.n = queued_n
  LEFT JOIN ev last ON last.contact = mark.contact AND last.n = last_answered_n
),
class AS (
  SELECT fact.*, CASE
    WHEN told IS NULL AND answer_us IS NULL THEN CASE WHEN at_switch = 1 THEN 'answer_unknown' ELSE 'in_progress' END
    WHEN told IS NULL OR told IN ('answered', 'answer_unknown')
      THEN CASE WHEN answer_us IS NULL THEN 'answer_unknown' ELSE 'answered' END
    WHEN told IN ('abandoned', 'left_in_message', 'deflected', 'self_served', 'served_elsewhere', 'call_back') THEN told
    ELSE 'dropped_by_us' END AS how
  FROM fact WHERE (flow IS NULL OR flow <> 'probe') AND (:all_calls = 1 OR ended_us < :cut_us)
),
whole AS (
  SELECT contact, area, service, routed, offered_us AS at_us, how, offered_us AS from_offered,
         COALESCE(wait_us, message_us, offered_us) AS from_message, CASE
           WHEN how = 'answered' THEN answer_us
           WHEN how = 'answer_unknown' THEN COALESCE(switch_us, ended_us)
           WHEN how = 'abandoned' OR (how IN ('dropped_by_us', 'call_back') AND wait_us IS NOT NULL) THEN ended_us
         END AS until_us
  FROM class WHERE offered_us IS NOT NULL
),
leg AS (
  SELECT ev.contact, ev.provider,
         MIN(CASE WHEN kind = 'leg_started' THEN n END) AS first_n,
         MAX(CASE WHEN kind = 'leg_started' THEN n END) AS started_n,
         MAX(CASE WHEN kind IN ('leg_answered', 'leg_failed', 'talk_ended') THEN n END) AS left_n,
         MIN(CASE WHEN kind = 'leg_answered' AND evidence <> 'agent' THEN n END) AS switch_n
  FROM ev WHERE ev.provider IS NOT NULL GROUP BY ev.contact, ev.provider
),
leg_state AS (
  SELECT leg.contact, leg.provider, leg.first_n, leg.switch_n, class.ended_n, class.ended_us, class.told, class.routed,
         (SELECT MIN(a.n) FROM answer a WHERE a.contact = leg.contact AND a.provider = leg.provider) AS answer_n,
         CASE WHEN left_n IS NULL OR left_n < started_n THEN 1 ELSE 0 END AS not_left,
         (SELECT MAX(x.n) FROM ev x WHERE x.contact = leg.contact AND x.kind IN ('handed_back', 'ended')
                                      AND (class.ended_n IS NULL OR x.n < class.ended_n)) AS closed_n, started_n
  FROM leg JOIN class ON class.contact = leg.contact WHERE first_n IS NOT NULL
)
"""
"""Each call (``class``) and each provider's part in it (``leg_state``), from what :func:`prepared` has made ready."""

_QUERY = """
, offer AS (
  SELECT s.provider, s.routed, first.us AS at_us, CASE
           WHEN answer_n IS NOT NULL THEN 'answered'
           WHEN not_left = 1 AND (closed_n IS NULL OR closed_n < started_n) AND told = 'abandoned' THEN 'abandoned'
           WHEN s.switch_n IS NOT NULL THEN 'answer_unknown'
           WHEN not_left = 1 AND (closed_n IS NULL OR closed_n < started_n) AND ended_n IS NULL THEN 'in_progress'
           ELSE 'not_taken' END AS how,
         answered.us AS answer_us, switch.us AS switch_us, ended_us
  FROM leg_state s
  JOIN ev first ON first.contact = s.contact AND first.n = first_n
  LEFT JOIN ev answered ON answered.contact = s.contact AND answered.n = answer_n
  LEFT JOIN ev switch ON switch.contact = s.contact AND switch.n = s.switch_n
),
share AS (
  SELECT 'total' AS scope, how, routed, at_us, from_offered, from_message, until_us FROM whole
  UNION ALL
  SELECT 'area:' || area, how, routed, at_us, from_offered, from_message, until_us FROM whole
  UNION ALL
  SELECT 'service:' || service, how, routed, at_us, from_offered, from_message, until_us FROM whole
  UNION ALL
  SELECT 'provider:' || provider, how, routed, at_us, at_us, at_us,
         CASE how WHEN 'answered' THEN answer_us WHEN 'answer_unknown' THEN switch_us WHEN 'abandoned' THEN ended_us END
  FROM offer
),
within AS (SELECT * FROM share WHERE at_us >= :start_us AND at_us < :end_us),
timed AS (
  SELECT scope, 'offered' AS clock, how, until_us - from_offered AS us FROM within WHERE until_us IS NOT NULL
  UNION ALL
  SELECT scope, 'message_end', how, until_us - from_message FROM within WHERE until_us IS NOT NULL
),
taken AS (
  SELECT scope, clock, CASE WHEN how IN ('answered', 'abandoned') THEN how ELSE 'other' END AS whose,
         CASE WHEN us < 0 THEN 0 ELSE us END AS us
  FROM timed
)
SELECT scope, 'end' AS what, how AS whose, 0 AS second, COUNT(*) AS calls, 0 AS us FROM within GROUP BY scope, how
UNION ALL
SELECT scope, 'routed', '', 0, SUM(routed), 0 FROM within GROUP BY scope HAVING SUM(routed) > 0
UNION ALL
SELECT scope, clock, whose, (us + 999999) / 1000000, COUNT(*), SUM(us) FROM taken
GROUP BY scope, clock, whose, (us + 999999) / 1000000
"""


def recount(connection: Connection, start: datetime, end: datetime, over_by: datetime | None = None) -> Counts:
    """Count the calls from ``start`` until before ``end`` (UTC) again. Of a provider, its offers in that time.

    With ``over_by``, only calls that were over before it: those in progress move between two looks. Makes temporary
    tables: for :meth:`infra.sql.Database.study`.
    """
    within = {
        "start_us": us_of(start), "end_us": us_of(end), "all_calls": int(over_by is None),
        "cut_us": us_of(over_by or end),
    }  # fmt: skip
    counts: dict[str, dict[tuple[str, str, int], tuple[int, int]]] = {}
    with prepared(connection, start, end):
        for scope, what, whose, second, calls, us in connection.execute(text(CALLS + _QUERY), within):
            counts.setdefault(scope, {})[what, whose, int(second)] = (int(calls), int(us))
    return counts


@contextmanager
def prepared(connection: Connection, start: datetime, end: datetime, told_by: datetime | None = None) -> Iterator[None]:
    """The journal around this time in temporary tables, which go again; with ``told_by`` what was told before it."""
    journal = text(_RAW.format(microseconds=MICROSECONDS[connection.dialect.name])).bindparams(
        bindparam("first", start - AROUND, UtcDateTime), bindparam("last", told_by or end + AROUND, UtcDateTime)
    )
    for each in (
        *_TABLES,
        journal,
        *_ready("raw", "call_ref, seq"),
        _EVENTS,
        *_ready("ev", "contact, n"),
        _ANSWERS,
        *_ready("answer", "contact, n"),
    ):
        connection.execute(text(each) if isinstance(each, str) else each)
    yield
    for table in ("raw", "ev", "answer"):
        connection.execute(text(f"DROP TABLE {table}"))


def _ready(table: str, key: str) -> tuple[str, str]:
    return f"CREATE INDEX {table}_key ON {table} ({key})", f"ANALYZE {table}"


def us_of(at: datetime) -> int:
    """An instant as microseconds, as the tables hold it."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond
