"""What can go wrong while watching the service.

::

    AlertsError
    ├── RulesError      the rule file is defective: show its text to whoever wrote the file
    ├── SilenceRefused  nobody may be kept from hearing of this so long, or without a reason: show its text
    └── NoticeFailed    a channel did not take a notice: try again later, a bounded number of times,
                        unless it is ``final``
"""

from __future__ import annotations


class AlertsError(Exception):
    """Anything that this package raises. ``error_id`` is stable and safe to log."""

    error_id = "alerts_error"


class RulesError(AlertsError):
    """A rule file cannot be used. Its text has a line ``FILE:LINE: FIELD: CAUSE`` for each defect."""

    error_id = "alert_rules_defective"


class SilenceRefused(AlertsError):
    """An alert cannot be silenced like this. Its text says what to change."""

    error_id = "silence_refused"


class NoticeFailed(AlertsError):
    """A notice was not taken. ``error_id`` says why; it names no address and quotes no answer.

    ``final``: this recipient will never take it by this channel (bounced, gone); another try would only cost time.
    """

    def __init__(self, error_id: str, *, final: bool = False) -> None:
        self.error_id = error_id
        self.final = final
        super().__init__(error_id)
