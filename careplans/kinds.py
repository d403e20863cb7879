"""The kinds of plan, by their standard names and SNOMED CT codes."""

from __future__ import annotations

from enum import StrEnum


class PlanKind(StrEnum):
    """What sort of plan it is. The value is the stable name that flows, reports and files use."""

    CRISIS = "crisis_plan"
    END_OF_LIFE = "end_of_life_care_plan"
    END_OF_LIFE_COORDINATION = "end_of_life_care_coordination_summary"
    EMERGENCY_HEALTH_CARE = "emergency_health_care_plan"
    RESPECT = "respect"
    CONTINGENCY = "contingency_plan"
    ADVANCE_CARE = "advance_care_plan"
    TREATMENT_ESCALATION = "treatment_escalation_plan"
    PERSONALISED_CARE = "personalised_care_and_support_plan"
    SPECIAL_PATIENT_NOTE = "special_patient_note"
    FRAILTY = "frailty_care_plan"
    MULTIPLE_SCLEROSIS = "multiple_sclerosis_care_plan"
    HIGH_SERVICE_USE = "high_service_use_plan"

    @property
    def raises(self) -> bool:
        """Whether the plan raises its caller's priority at any match level (docs/safety/rules.md, 2)."""
        return self in _RAISING


_RAISING = {PlanKind.CRISIS, PlanKind.END_OF_LIFE, PlanKind.END_OF_LIFE_COORDINATION}

SNOMED = {
    "736253002": PlanKind.CRISIS,
    "736373009": PlanKind.END_OF_LIFE,
    "861421000000109": PlanKind.END_OF_LIFE_COORDINATION,
    "887701000000100": PlanKind.EMERGENCY_HEALTH_CARE,
    "1382601000000107": PlanKind.RESPECT,
    "325691000000100": PlanKind.CONTINGENCY,
    "736366004": PlanKind.ADVANCE_CARE,
    "735324008": PlanKind.TREATMENT_ESCALATION,
    "2181441000000107": PlanKind.PERSONALISED_CARE,
}
"""SNOMED CT UK edition; the codes that the National Record Locator takes for plan pointers. A special patient
note and the local kinds (frailty, multiple sclerosis, high service use) have no code there."""

_OTHER_NAMES = {
    "mental health crisis plan": PlanKind.CRISIS,
    "end of life": PlanKind.END_OF_LIFE,
    "end of life plan": PlanKind.END_OF_LIFE,
    "end of life care": PlanKind.END_OF_LIFE,
    "respect form": PlanKind.RESPECT,
}


def read_kind(text: str) -> PlanKind:
    """The kind that a SNOMED code or a name means; case, hyphens and a final "plan" do not matter.

    Raises ValueError for anything else: a kind that nobody knows cannot be known to raise or not to raise.
    """
    name = " ".join(text.casefold().replace("_", " ").replace("-", " ").split())
    kind = SNOMED.get(name) or _NAMES.get(name)
    if kind is None:
        raise ValueError("is neither a known kind of plan nor its SNOMED code")
    return kind


def _all_names() -> dict[str, PlanKind]:
    names = {kind.value.replace("_", " "): kind for kind in PlanKind}
    return {name.removesuffix(" plan"): kind for name, kind in names.items()} | names | _OTHER_NAMES


_NAMES = _all_names()
