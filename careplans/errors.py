"""What can go wrong with plans.

CarePlanError
├── PlanFileError    a file is not what it says; nothing of it was stored
├── PlanStoreFailed  the database did not answer; try again, nothing was changed
├── PlanUnreadable   a stored plan does not open: wrong key, or changed bytes
├── NotAllowed       this role may not do this; the try was recorded
├── TooManyTries     no more birth dates for this person in this call; a clinician may open with a check
└── NoSuchPlan       the plan that was named is not stored (any more)

No message holds a personal value.
"""

from __future__ import annotations


class CarePlanError(Exception):
    """Root of the tree; ``error_id`` is stable and may be shown, logged and counted."""

    error_id = "care_plan_error"


class PlanFileError(CarePlanError):
    """A plan file is not what it says. ``line`` counts from 1; ``cause`` says what to put right."""

    error_id = "plan_file_unreadable"

    def __init__(self, file: str, line: int, cause: str) -> None:
        super().__init__(f"{file}:{line}: {cause}")
        self.file = file
        self.line = line
        self.cause = cause


class PlanStoreFailed(CarePlanError):
    """The database did not answer or refused. Nothing was changed; the same call may be made again."""

    error_id = "plan_store_failed"


class PlanUnreadable(CarePlanError):
    """A stored plan does not open with this key ring. Tell the administrator; the caller goes on without."""

    error_id = "plan_unreadable"


class NotAllowed(CarePlanError):
    """The viewer's role may not do this. The try was recorded."""

    error_id = "plan_not_allowed"


class TooManyTries(CarePlanError):
    """The viewer has no more tries in this call. The try was recorded and nothing was compared."""

    error_id = "plan_too_many_tries"


class NoSuchPlan(CarePlanError):
    """No plan is stored under this id. Match the number again."""

    error_id = "plan_not_found"
