"""What can go wrong in the life of a call, as a tree.

::

    CallRouterError
    ├── ConfigurationError   a file or setting is not usable; the text names file, line and cause
    │   ├── DatabaseSilent   the database does not answer: a service in production starts all the same
    │   └── DatabaseRefuses  the database does not do what is asked; the text says what to do
    ├── UnknownCall          no such call: answer the caller with the default 111 service
    ├── StaleEpoch           another worker owns the call: drop it, do nothing more for it
    ├── TooManyTries         the limit of date-of-birth checks for this person and call is reached
    └── PlanClosed           no plan can be opened from this page now; the text says why
"""

from __future__ import annotations

from typing import ClassVar


class CallRouterError(Exception):
    """Base of all. ``error_id`` is stable, for logs and pages."""

    error_id: ClassVar[str] = "callrouter_error"


class ConfigurationError(CallRouterError):
    """A file or setting cannot be used. The text says which, where and why; what ran before goes on."""

    error_id = "configuration_error"


class DatabaseSilent(ConfigurationError):
    """The database does not answer. Calls go on without it; a command that needs it ends."""

    error_id = "database_silent"


class DatabaseRefuses(ConfigurationError):
    """The database answers and does not do what is asked. The text says what to do."""

    error_id = "database_refuses"


class UnknownCall(CallRouterError):
    """The call was never started here, or was forgotten. Send the caller to the default 111 service."""

    error_id = "unknown_call"


class StaleEpoch(CallRouterError):
    """Somebody newer owns the call. Drop it: perform nothing, send nothing."""

    error_id = "stale_epoch"


class PlanClosed(CallRouterError):
    """No plan can be opened from this page now. Show the text: it says why, and names nobody."""

    error_id = "plan_closed"


class TooManyTries(CallRouterError):
    """No more date-of-birth checks for this person on this call. Ask a clinician."""

    error_id = "too_many_tries"
