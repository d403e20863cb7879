"""What can go wrong with a source as a whole.

SourceError (a CarePlanError)
├── SourceUnreachable  it did not answer in time, or not at all; the next run tries again from the same place
├── SourceRefused      it answers, and will not: a key, a host key, an address is wrong; somebody must see to it
├── SourceUnreadable   what it gives is not what it should be; somebody must see to it
├── NoSuchRun          no run of this number waits for a decision
└── SourceSettingsWrong  the file of sources cannot be used; the text names file, line and cause

No message holds a personal value, a password, or an address with one.
"""

from __future__ import annotations

from careplans.errors import CarePlanError


class SourceError(CarePlanError):
    """A source could not be read to its end. What was loaded before stands."""

    error_id = "plan_source_failed"


class SourceUnreachable(SourceError):
    """No answer, or one that broke off. The next run tries again."""

    error_id = "plan_source_unreachable"


class SourceRefused(SourceError):
    """It answers and refuses, or is not who it should be. Trying again does not help."""

    error_id = "plan_source_refused"


class SourceUnreadable(SourceError):
    """What it gives has not the form that was agreed. Trying again does not help."""

    error_id = "plan_source_unreadable"


class NoSuchRun(SourceError):
    """The run that was named does not wait for a decision (any more)."""

    error_id = "plan_run_not_held"


class SourceSettingsWrong(SourceError):
    """The file of sources cannot be used. The text names file, line and cause."""

    error_id = "plan_sources_wrong"
