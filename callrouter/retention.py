"""How long records are kept, of the settings: those of plans, and those of this package beside them."""

from __future__ import annotations

from alerts.figures.history_tables import kpi_call_backs, kpi_calls, kpi_recontacts
from alerts.life.tables import alert_notices, alert_silences, alert_states, alert_taken_on
from callrouter.call_backs.tables import call_back_steps, call_backs
from callrouter.errors import ConfigurationError
from callrouter.recordings.tables import recording_parts
from callrouter.settings import Settings
from callrouter.texts.tables import texts
from callrouter.welfare.tables import welfare_tasks
from careplans.errors import RetentionError
from careplans.retention import OURS, Kept, Record, Retention, Rows, read_retention

OTHERS = {
    Record.WELFARE_TASK: Rows(
        welfare_tasks, welfare_tasks.c.call_ref, welfare_tasks.c.acknowledged_at, welfare_tasks.c.wrapped_key
    ),
    Record.CALL_BACK: Rows(call_backs, call_backs.c.call_ref, call_backs.c.ended_at, call_backs.c.wrapped_key),
    Record.CALL_BACK_STEP: Rows(
        call_back_steps, call_back_steps.c.id, call_back_steps.c.at, done=call_back_steps.c.is_told
    ),
    Record.CALL_RECORDING: Rows(recording_parts, recording_parts.c.id, recording_parts.c.at, recording_parts.c.sealed),
    Record.TEXT: Rows(texts, texts.c.reference, texts.c.changed_at, done=texts.c.wrapped_key.is_(None)),
    Record.ALERT_NOTICE: Rows(
        alert_notices,
        alert_notices.c.id,
        alert_notices.c.next_try_at,
        done=alert_notices.c.sent_at.is_not(None) | alert_notices.c.failed_at.is_not(None),
    ),
    Record.ALERT_TOLD: Rows(
        alert_states, alert_states.c.rule, alert_states.c.since, done=alert_states.c.phase == "told"
    ),
    Record.ALERT_SILENCE: Rows(alert_silences, alert_silences.c.id, alert_silences.c.until),
    Record.ALERT_TAKEN_ON: Rows(alert_taken_on, alert_taken_on.c.id, alert_taken_on.c.at),
    Record.KPI_CALL: Rows(
        kpi_calls, kpi_calls.c.contact, kpi_calls.c.last_hour, done=kpi_calls.c.ended_at.is_not(None)
    ),
    Record.KPI_CALL_BACK: Rows(kpi_call_backs, kpi_call_backs.c.call_ref, kpi_call_backs.c.ended_at),
    Record.KPI_RECONTACT: Rows(kpi_recontacts, kpi_recontacts.c.call_ref, kpi_recontacts.c.offered_at),
}
"""Where the kinds stand that are not of plans."""


def kept_for(settings: Settings) -> tuple[Kept, ...]:
    """The table of the settings, or the one shipped, of which nothing is verified; raises ConfigurationError."""
    try:
        return read_retention(settings.retention_file or OURS)
    except RetentionError as error:
        raise ConfigurationError(str(error)) from error


def retention(settings: Settings) -> Retention:
    """What ends the records of these settings; raises :class:`ConfigurationError`."""
    return Retention(kept_for(settings), OTHERS)
