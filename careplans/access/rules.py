"""Which role may do what with plans (docs/safety/rules.md, 6). Enforced by the services, whatever a page shows.

A role alone opens nothing: each action asks for a relationship with the patient, too (see the module of each).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from infra.roles import Role

AFTER_THE_CALL = timedelta(minutes=60)
"""How long after its end a call may still open the plans that it matched."""
REFERENCE_LIFE = timedelta(hours=12)
"""How long a reference that was passed on opens its plans."""
EMERGENCY_LIFE = timedelta(minutes=30)
"""How long a broken glass opens the plans of its one patient."""


class Action(StrEnum):
    """What somebody may want to do with plans."""

    CHECK_BIRTH_DATE = "check_birth_date"
    SAY_CHECKED = "say_checked"
    PASS_ON = "pass_on"  # noqa: S105 - to pass a plan on
    READ_DETAIL = "read_detail"
    OPEN_REFERENCE = "open_reference"
    BREAK_GLASS = "break_glass"
    REVIEW_EMERGENCIES = "review_emergencies"
    SEE_WHO_SAW = "see_who_saw"


ALLOWED: Mapping[Action, frozenset[Role]] = {
    Action.CHECK_BIRTH_DATE: frozenset({Role.HANDLER, Role.CLINICIAN}),
    Action.SAY_CHECKED: frozenset({Role.CLINICIAN}),
    Action.PASS_ON: frozenset({Role.HANDLER, Role.CLINICIAN}),
    Action.READ_DETAIL: frozenset({Role.CLINICIAN, Role.AMBULANCE}),
    Action.OPEN_REFERENCE: frozenset({Role.CLINICIAN, Role.AMBULANCE}),
    Action.BREAK_GLASS: frozenset({Role.CLINICIAN}),
    Action.REVIEW_EMERGENCIES: frozenset({Role.INFORMATION_GOVERNANCE}),
    Action.SEE_WHO_SAW: frozenset({Role.INFORMATION_GOVERNANCE}),
}


def may(role: str, action: Action) -> bool:
    """Whether the table allows it; a role that nobody knows may do nothing."""
    return role in ALLOWED[action]
