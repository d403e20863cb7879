"""The tables of this package: SQLite or PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa

from infra.sql import UtcDateTime

metadata = sa.MetaData()

alert_states = sa.Table(
    "alert_states",
    metadata,
    sa.Column("rule", sa.String(160), primary_key=True),
    sa.Column("phase", sa.String(20), nullable=False),
    sa.Column("since", UtcDateTime),
    sa.Column("worst", sa.Float, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("what", sa.Text, nullable=False, server_default=""),
    sa.Column("where", sa.Text, nullable=False, server_default=""),
    sa.Column("severity", sa.String(10), nullable=False, server_default="warning"),
    sa.Column("scope", sa.String(100), nullable=False, server_default=""),
    sa.Column("fired_at", UtcDateTime),
    sa.Column("step", sa.Integer, nullable=False, server_default="0"),
    sa.Column("step_at", UtcDateTime),
    sa.Column("told", sa.Text, nullable=False, server_default="[]"),
    sa.Column("held", sa.Text, nullable=False, server_default=""),
    sa.Column("acknowledged_by", sa.Text, nullable=False, server_default=""),
    sa.Column("acknowledged_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("fired", sa.Text, nullable=False, server_default="[]"),
    sa.Index("alert_states_by_phase", "phase", "since"),
)

alert_notices = sa.Table(
    "alert_notices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("notice_id", sa.String(240), nullable=False),
    sa.Column("rule", sa.String(60), nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("address", sa.String(2000), nullable=False),
    sa.Column("notice", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("next_try_at", UtcDateTime, nullable=False),
    sa.Column("sent_at", UtcDateTime),
    sa.Column("failed_at", UtcDateTime),
    sa.Column("delivered_at", UtcDateTime),
    sa.Column("reference", sa.String(32)),
    sa.UniqueConstraint("notice_id", "channel", "address", name="alert_notices_once"),
    sa.Index("alert_notices_by_reference", "reference"),
    sa.Index("alert_notices_open", "channel", "sent_at", "failed_at"),
)

alert_steps = sa.Table(
    "alert_steps",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("alert", sa.String(160), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index("alert_steps_of", "alert", "id"),
)
"""Append only (:mod:`infra.append_only`)."""

alert_taken_on = sa.Table(
    "alert_taken_on",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("alert", sa.String(160), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Index("alert_taken_on_at", "at"),
)
"""Of alerts that each process sees for itself (:mod:`alerts.life.own`)."""

alert_bounced = sa.Table(
    "alert_bounced",
    metadata,
    sa.Column("address", sa.String(320), primary_key=True),
    sa.Column("since", UtcDateTime, nullable=False),
)
"""Addresses of staff, in small letters, that a mail came back from; until somebody says that one works again."""

alert_silences = sa.Table(
    "alert_silences",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("alert", sa.String(160), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
    sa.Column("lifted_at", UtcDateTime),
    sa.Column("lifted_by", sa.Text, nullable=False, server_default=""),
    sa.Index("alert_silences_until", "until"),
)
