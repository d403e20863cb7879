"""Who may sign in: the roles of docs/safety/rules.md, 6. What each may do stands with what is done."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A person has one role in a session."""

    HANDLER = "handler"
    CLINICIAN = "clinician"
    AMBULANCE = "ambulance"
    PUBLIC_HEALTH = "public_health"
    COMMISSIONER = "commissioner"
    CLINICAL_SAFETY = "clinical_safety"
    INFORMATION_GOVERNANCE = "information_governance"
    ADMINISTRATOR = "administrator"
