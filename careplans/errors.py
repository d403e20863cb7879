"""What can go wrong with plans.

CarePlanError
├── PlanFileError    a file is not what it says; nothing of it was stored
├── PlanStoreFailed  the database did not answer; try again, nothing was changed
├── PlanUnreadable   a stored plan does not open: wrong key, or changed bytes
│   └── KeysDoNotFit  plans are stored under keys that are not at hand: they cannot be found
├── NotAllowed       this role may not do this; the try was recorded
├── NoRelationship   nothing joins this person with this patient (any more); the try was recorded
├── SeveralPeople    the plans may be several people's; a birth date must tell whose
├── TooManyTries     no more tries for this person; a clinician may open with a check
├── NotOnePatient    what was asked for is not exactly one patient
├── ReasonMissing    why is not said, or in too few words
├── UnknownEmergency there is no such emergency access
├── OwnEmergency     nobody reviews what they opened themselves
├── AlreadyReviewed  somebody has reviewed it already
├── NoSuchPlan       the plan that was named is not stored
├── PlanHeld         a legal hold forbids it
├── NotConfirmed     the last check in this call confirmed no patient
├── UnknownOrganisation  calls are not passed on there
├── CrewNoticeRefused  no crew is told; its reason says what is missing
├── CrewDevicesError   the file of approved devices is not what it should be
└── RetentionError   the table of retention is not what it should be

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


class KeysDoNotFit(PlanUnreadable):
    """Plans are stored under keys that this process has not got. Nothing is known of them, and nothing was changed."""

    error_id = "plan_keys_do_not_fit"

    def __init__(self) -> None:
        super().__init__(
            "plans are stored under keys that are not among these: put the pair that wrote them behind the others in "
            "CALLROUTER_KEYS or the file of CALLROUTER_KEYS_FILE (docs/careplans.md, keys); nothing was changed"
        )


class NotAllowed(CarePlanError):
    """The viewer's role may not do this. The try was recorded."""

    error_id = "plan_not_allowed"


class TooManyTries(CarePlanError):
    """The viewer has no more tries. The try was recorded and nothing was compared."""

    error_id = "plan_too_many_tries"


class NoRelationship(CarePlanError):
    """No call, reference or broken glass joins the viewer with this patient, or it is over. The try was recorded."""

    error_id = "plan_no_relationship"


class SeveralPeople(CarePlanError):
    """The plans may be several people's. Ask the caller for the date of birth. The try was recorded."""

    error_id = "plan_several_people"


class NotOnePatient(CarePlanError):
    """No patient, or more than one, is exactly the one who was asked for. The search was recorded."""

    error_id = "plan_not_one_patient"


class NoSuchPlan(CarePlanError):
    """No plan is stored under this id. Look it up again."""

    error_id = "plan_not_found"


class PlanHeld(CarePlanError):
    """A legal hold forbids it. Whoever set the hold may lift it."""

    error_id = "plan_held"


class RetentionError(CarePlanError):
    """The table of retention cannot be used; the text names file, line and cause."""

    error_id = "retention_table_unreadable"


class ReasonMissing(CarePlanError):
    """Why is not said, or in too few words. Nothing was looked up."""

    error_id = "plan_reason_missing"


class UnknownEmergency(CarePlanError):
    """There is no such emergency access. Open the list again."""

    error_id = "plan_unknown_emergency"


class OwnEmergency(CarePlanError):
    """Nobody reviews what they opened themselves, nor what was opened in the same sign-in."""

    error_id = "plan_own_emergency"


class AlreadyReviewed(CarePlanError):
    """Somebody has reviewed it already. Open it again to see what they said."""

    error_id = "plan_already_reviewed"


class NotConfirmed(CarePlanError):
    """The last check in this call confirmed no patient with a live plan. Check the date of birth first."""

    error_id = "plan_not_confirmed"


class UnknownOrganisation(CarePlanError):
    """Calls are not passed on to this organisation: it is not among those of the settings."""

    error_id = "plan_unknown_organisation"


class CrewNoticeRefused(CarePlanError):
    """Nobody was told. ``reason``: ``unknown_device``, ``no_incident``, ``not_confirmed`` or ``corrected``."""

    error_id = "crew_notice_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CrewDevicesError(CarePlanError):
    """The text names file, line and cause."""

    error_id = "crew_devices_unreadable"
