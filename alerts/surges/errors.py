"""What can be wrong here.

::

    SurgesError           base
    ├── IndicatorsError   the file of indicators cannot be used: FILE:LINE: what is wrong
    └── ScreeningFailed   the process that screens ended without an answer: the next one tries again
"""

from __future__ import annotations


class SurgesError(Exception):
    """Base of this package's errors."""


class IndicatorsError(SurgesError):
    """The file of indicators cannot be used; the text names file, line and cause."""


class ScreeningFailed(SurgesError):
    """The process that screens ended without an answer."""
