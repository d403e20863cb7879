"""How long records are kept, of the settings: those of plans, and those of this package beside them."""

from __future__ import annotations

from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from callrouter.texts.tables import texts
from callrouter.welfare_tables import welfare_tasks
from careplans.errors import RetentionError
from careplans.retention import OURS, Kept, Record, Retention, Rows, read_retention

OTHERS = {
    Record.WELFARE_TASK: Rows(
        welfare_tasks, welfare_tasks.c.call_ref, welfare_tasks.c.acknowledged_at, welfare_tasks.c.wrapped_key
    ),
    Record.TEXT: Rows(texts, texts.c.reference, texts.c.changed_at, done=texts.c.wrapped_key.is_(None)),
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
