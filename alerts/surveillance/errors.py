"""What can be wrong with a series or with the settings of a detector.

::

    AlertsError
    └── SurveillanceError
        ├── SeriesError     the file of counts is defective: show its text to whoever made the file
        ├── ControlError    a setting is unknown, out of its range or contradicts another: show its text
        └── HistoryError    too little history before the time to be judged: judge a later one, or look back less
"""

from __future__ import annotations

from alerts.errors import AlertsError


class SurveillanceError(AlertsError):
    """Anything that this package raises. Its text is one sentence that says what to do; it quotes no counts."""

    error_id = "surveillance_error"


class SeriesError(SurveillanceError):
    """A file of counts cannot be used; its text names file, line and column."""

    error_id = "series_defective"


class ControlError(SurveillanceError):
    """The settings of a detector cannot be used."""

    error_id = "surveillance_control_defective"


class HistoryError(SurveillanceError):
    """A reference time lies before the first count."""

    error_id = "surveillance_history_short"
