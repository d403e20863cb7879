"""Plans out of FHIR bundles: what stands there, what is wrong there, and nothing lost beside it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplans.rows import CheckedRow, Gone, check_row, read_id
from careplans.screening import Screened, screen
from careplans.sources.errors import SourceUnreadable
from careplans.sources.fhir import read_bundle

TODAY = date(2026, 6, 15)
SNOMED = "http://snomed.info/sct"
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"lastUpdated": "2026-05-01T10:00:00Z"},
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
    "name": [{"use": "old", "family": "Before"}, {"use": "official", "given": ["Edith", "Ann"], "family": "Example"}],
    "birthDate": "1938-04-12",
    "telecom": [{"system": "phone", "value": "07700 900101"}, {"system": "email", "value": "x@example.org"}],
}
CARE_PLAN = {
    "resourceType": "CarePlan",
    "id": "c1",
    "meta": {"lastUpdated": "2026-06-01T12:00:00.000+00:00"},
    "status": "active",
    "intent": "plan",
    "category": [{"coding": [{"system": SNOMED, "code": "736253002"}]}],
    "title": "Pass to the crisis team at once.",
    "description": "Ask about her dog.",
    "subject": {"reference": "Patient/p1"},
    "period": {"start": "2026-05-04", "end": "2027-05-04T00:00:00Z"},
    "author": {"display": "Demo Crisis Team"},
}


def bundle(*resources: object, **more: object) -> str:
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": each} for each in resources]} | more)


def screened(*resources: object) -> Screened:
    return screen(read_bundle(bundle(*resources), "Demo Trust").rows, TODAY, "Demo System")


def reasons(*resources: object) -> list[tuple[int, str, str]]:
    return [(fault.line, fault.field, fault.reason) for fault in screened(*resources).refused]


def test_a_care_plan_and_its_patient() -> None:
    (plan,) = screened(PATIENT, CARE_PLAN).plans
    assert (plan.plan_id, plan.kind, plan.author_org) == ("CarePlan/c1", "crisis_plan", "Demo Crisis Team")
    assert (plan.person.full_name, plan.person.nhs_number) == ("Edith Ann Example", "9990000018")
    assert plan.person.phones == ("+447700900101",)
    assert (plan.handler_line, plan.detail) == ("Pass to the crisis team at once.", "Ask about her dog.")
    assert (plan.valid_from, plan.review_by) == (date(2026, 5, 4), date(2027, 5, 4))
    assert plan.version == 1780315200000


def test_a_flag_is_a_special_patient_note_unless_its_code_says_more() -> None:
    flag = {**CARE_PLAN, "resourceType": "Flag", "title": None, "code": {"text": "Speak slowly."}, "category": []}
    (plan,) = screened(PATIENT, flag).plans
    assert (plan.kind, plan.handler_line) == ("special_patient_note", "Speak slowly.")


def test_a_pointer_says_where_to_look_and_holds_nothing_of_the_document() -> None:
    pointer = {
        **CARE_PLAN, "resourceType": "DocumentReference", "status": "current", "description": "Zzsecret",
        "type": {"coding": [{"system": SNOMED, "code": "1382601000000107"}]}, "custodian": {"display": "Demo Hospice"},
        "content": [{"attachment": {"url": "https://plans.example/1", "data": "WnpzZWNyZXQ="}}],
    }  # fmt: skip
    (plan,) = screened(PATIENT, pointer).plans
    assert (plan.kind, plan.detail) == ("respect", "Demo Hospice\n\nhttps://plans.example/1")
    assert plan.handler_line == "A plan is held by Demo Hospice: a clinician can look there."


VERIFICATION = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
NUMBERED = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "999 000 0018"}
POINTER = {
    "resourceType": "DocumentReference", "id": "Y05868-1", "meta": {"lastUpdated": "2026-06-01T12:00:00Z"},
    "status": "current", "type": {"coding": [{"system": SNOMED, "code": "736253002"}]},
    "subject": {"identifier": NUMBERED}, "custodian": {"identifier": {"value": "Y05868"}},
    "content": [{"attachment": {"url": "https://plans.example/1"}}],
}  # fmt: skip


def verified(code: str) -> dict[str, Any]:
    status = {"url": VERIFICATION, "valueCodeableConcept": {"coding": [{"code": code}]}}
    return {**POINTER, "subject": {"identifier": {**NUMBERED, "extension": [status]}}}


@pytest.mark.parametrize("pointer", [POINTER, verified("01")], ids=["no status", "verified"])
def test_a_pointer_of_the_national_record_locator_has_a_verified_number_alone(pointer: dict[str, Any]) -> None:
    (plan,) = screened(pointer).plans
    assert (plan.person.nhs_number, plan.person.birth_date, plan.person.phones) == ("9990000018", None, ())
    assert (plan.kind, plan.detail) == ("crisis_plan", "Y05868\n\nhttps://plans.example/1")


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        (verified("02"), "row"), (verified(""), "row"),
        ({**POINTER, "subject": {"identifier": {**NUMBERED, "value": "9990000019"}}}, "nhs_number"),
        ({**POINTER, "subject": {"identifier": {**NUMBERED, "value": ""}}}, "nhs_number"),
        ({**POINTER, "subject": {"identifier": {**NUMBERED, "system": "https://example/number"}}}, "row"),
        ({**POINTER, "subject": {"identifier": NUMBERED, "reference": "Patient/p9"}}, "row"),
        ({**POINTER, "type": {"coding": [{"system": SNOMED, "code": "163171000000105"}]}}, "kind"),
        ({**CARE_PLAN, "subject": {"identifier": NUMBERED}}, "row"),
    ],
)  # fmt: skip
def test_any_other_pointer_without_a_patient_stays_out(pointer: dict[str, Any], field: str) -> None:
    found = screened(pointer)
    assert (found.plans, [each.field for each in found.refused]) == ((), [field])


@pytest.mark.parametrize("status", ["revoked", "entered-in-error", "completed"])
def test_what_is_over_is_withdrawn_as_of_its_own_time(status: str) -> None:
    (gone,) = screened(PATIENT, {**CARE_PLAN, "status": status}).gone
    assert (gone.plan_id, gone.version) == ("CarePlan/c1", 1780315200000)


def test_a_deletion_in_a_history_bundle_is_a_withdrawal() -> None:
    deleted = {
        "request": {"method": "DELETE", "url": "CarePlan/c1"},
        "response": {"lastModified": "2026-06-02T00:00:00Z"},
    }
    read = read_bundle(json.dumps({"resourceType": "Bundle", "entry": [deleted]}), "Demo Trust")
    (gone,) = screen(read.rows, TODAY, "Demo System").gone
    assert gone.plan_id == "CarePlan/c1"


CONSENT = {"resourceType": "Consent", "id": "r1", "status": "active", "patient": {"reference": "Patient/p1"},
           "meta": {"lastUpdated": "2026-06-03T00:00:00Z"}, "provision": {"type": "deny"}}  # fmt: skip


def test_a_patient_who_refuses_takes_the_plans_beside_it_back() -> None:
    found = screened(PATIENT, CARE_PLAN, CONSENT)
    assert (found.plans, [each.plan_id for each in found.gone]) == ((), ["CarePlan/c1"])
    assert found.gone[0].version > 1780315200000


def test_a_refusal_says_of_whom_it_is_so_that_the_plans_that_are_stored_are_found() -> None:
    numbered = {**CONSENT, "patient": {"identifier": NUMBERED}}
    for refusal in (screened(PATIENT, CONSENT), screened(numbered)):
        (said,) = refusal.refusals
        assert (said.nhs_number, said.plan_ids, said.version) == ("9990000018", (), 1780444800000)


def test_a_refusal_that_names_a_plan_is_of_that_one_alone() -> None:
    other = {**CARE_PLAN, "id": "c2"}
    data = [{"meaning": "instance", "reference": {"reference": "https://fhir.example/R4/CarePlan/c1/_history/2"}}]
    found = screened(PATIENT, CARE_PLAN, other, {**CONSENT, "provision": {"type": "deny", "data": data}})
    assert ([each.plan_id for each in found.plans], [each.plan_id for each in found.gone]) == (
        ["CarePlan/c2"], ["CarePlan/c1"],
    )  # fmt: skip
    assert [(each.plan_ids, each.nhs_number) for each in found.refusals] == [(("CarePlan/c1",), None)]
    of_letters = [{"meaning": "instance", "reference": {"reference": "Composition/c1"}}]
    found = screened(PATIENT, CARE_PLAN, {**CONSENT, "provision": {"type": "deny", "data": of_letters}})
    assert (len(found.plans), found.refusals) == (1, ())


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
        {"identifier": {"value": "x"}},
        {"reference": "Patient/p1"},
    ],
    ids=["urn", "identifier alone", "the patient"],
)
def test_a_refusal_of_what_nobody_can_name_is_of_all(reference: dict[str, Any]) -> None:
    data = [{"meaning": "instance", "reference": reference}]
    found = screened(PATIENT, CARE_PLAN, {**CONSENT, "provision": {"type": "deny", "data": data}})
    assert (found.plans, [each.plan_id for each in found.gone]) == ((), ["CarePlan/c1"])


@pytest.mark.parametrize(
    "consent",
    [
        {**CONSENT, "provision": {"type": "permit"}},
        {**CONSENT, "status": "inactive"},
        {**CONSENT, "provision": {}},
        {**CONSENT, "scope": {"coding": [{"code": "adr"}]}},
        {**CONSENT, "scope": {"coding": [{"code": "treatment"}]}},
    ],
    ids=["permits", "over", "says nothing", "refuses resuscitation", "refuses a treatment"],
)
def test_a_consent_that_refuses_no_sharing_changes_nothing(consent: dict[str, Any]) -> None:
    found = screened(PATIENT, CARE_PLAN, consent)
    assert (len(found.plans), found.gone, found.bad, found.refusals) == (1, (), (), ())


def test_an_exception_within_a_refusal_widens_nothing() -> None:
    but = {"type": "deny", "provision": [{"type": "permit", "purpose": [{"code": "ETREAT"}]}]}
    assert screened(PATIENT, CARE_PLAN, {**CONSENT, "provision": but}).plans == ()


def test_a_refusal_without_a_time_is_named() -> None:
    assert reasons(PATIENT, {**CONSENT, "meta": {}})[0][1] == "version"


def test_a_restricted_patient_or_plan_is_restricted() -> None:
    secret = {"security": [{"code": "R"}]}
    assert screened({**PATIENT, "meta": secret}, CARE_PLAN).plans[0].restricted
    assert screened(PATIENT, {**CARE_PLAN, "meta": CARE_PLAN["meta"] | secret}).plans[0].restricted  # type: ignore[operator]


@pytest.mark.parametrize(
    "where", [{"meta": {"security": [{"code": "V"}]}}, {"securityLabel": [{"coding": [{"code": "R"}]}]}]
)
def test_one_that_cannot_be_read_says_all_the_same_that_it_is_restricted(where: dict[str, Any]) -> None:
    (bad,) = screened({**CARE_PLAN, **where}).bad
    assert (bad.faults[0].reason, read_id(bad.row.values, "Demo System").restricted) == (
        "has no subject that stands in the bundle", True,
    )  # fmt: skip


def test_a_change_of_the_patient_is_a_newer_version_of_the_plan() -> None:
    moved = {**PATIENT, "meta": {"lastUpdated": "2026-06-10T00:00:00Z"}}
    assert screened(moved, CARE_PLAN).plans[0].version > 1780315200000


def test_a_number_that_cannot_be_read_does_not_hide_the_plan() -> None:
    found = screened({**PATIENT, "telecom": [{"system": "phone", "value": "ask the daughter"}]}, CARE_PLAN)
    assert [(odd.field, odd.reason) for odd in found.warnings] == [
        ("phones", "number 1 is not a telephone number: it is left out")
    ]


BAD = {
    "no_patient": ((CARE_PLAN,), (1, "row", "has no subject that stands in the bundle")),
    "no_subject": ((PATIENT, {**CARE_PLAN, "subject": None}), (2, "row", "has no subject that stands in the bundle")),
    "draft": ((PATIENT, {**CARE_PLAN, "status": "draft"}), (2, "row", "has no status, or is a draft")),
    "no_id": ((PATIENT, {**CARE_PLAN, "id": None}), (2, "plan_id", "is missing")),
    "unknown_kind": (
        (PATIENT, {**CARE_PLAN, "category": []}),
        (2, "kind", "is neither a known kind of plan nor its SNOMED code"),
    ),
    "no_birth_date": (({**PATIENT, "birthDate": None}, CARE_PLAN), (2, "date_of_birth", "is missing")),
    "no_resource": (("text",), (1, "row", "is no resource that a plan can be read from")),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named_and_the_rest_is_read(case: str) -> None:
    resources, fault = BAD[case]
    other = {**PATIENT, "id": "p2"}
    good = {**CARE_PLAN, "id": "c2", "subject": {"reference": "https://fhir.example/Patient/p2"}}
    found = screened(*resources, other, good)
    assert [(each.line, each.field, each.reason) for each in found.refused] == [fault]
    assert [plan.plan_id for plan in found.plans] == ["CarePlan/c2"]


def test_unknown_fields_are_passed_over_and_counted() -> None:
    read = read_bundle(bundle(PATIENT, {**CARE_PLAN, "weather": "fine", "goal": []}), "Demo Trust")
    assert read.ignored == 2
    assert isinstance(check_row(screen_source(read.rows[0]), TODAY), CheckedRow)


def screen_source(row: Any) -> Any:
    return type(row)(row.line, {**row.values, "source": "Demo System"})


def test_a_name_twice_in_a_resource_refuses_that_one() -> None:
    body = bundle(PATIENT, CARE_PLAN).replace('"status": "active"', '"status": "active", "status": "revoked"')
    found = screen(read_bundle(body, "Demo Trust").rows, TODAY, "Demo System")
    assert [each.reason for each in found.refused] == ["has one name twice"]


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"resourceType": "Patient"}', '{"a": ' * 100_000, '{"x": ' + "9" * 5000]
)
def test_what_is_no_bundle_is_said_to_be_none(body: str) -> None:
    with pytest.raises(SourceUnreadable):
        read_bundle(body, "Demo Trust")


NAMES = st.sampled_from([*CARE_PLAN, *PATIENT, "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(field=st.sampled_from([*CARE_PLAN]), patients_field=st.sampled_from([*PATIENT]), value=JSON, other=JSON)
def test_whatever_stands_beside_it_a_good_plan_is_not_lost(
    field: str, patients_field: str, value: object, other: object
) -> None:
    """No value raises anything, and the good plan beside the bad one is read."""
    good, its_patient = {**CARE_PLAN, "id": "c2", "subject": {"reference": "Patient/p2"}}, {**PATIENT, "id": "p2"}
    bad = {**CARE_PLAN, field: value}
    strange = {**PATIENT, patients_field: other}
    found = screened(strange, bad, its_patient, good)
    assert "CarePlan/c2" in [plan.plan_id for plan in found.plans] or (isinstance(found.gone, tuple) and field == "id")


def test_gone_and_plans_are_told_apart() -> None:
    rows = read_bundle(bundle(PATIENT, {**CARE_PLAN, "status": "revoked"}), "Demo Trust").rows
    assert isinstance(check_row(screen_source(rows[0]), TODAY), Gone)


@pytest.mark.parametrize("depth", [600, 5_000, 100_000])
def test_a_bundle_nested_too_deep_is_unreadable(depth: int) -> None:
    resource = '{"resourceType": "CarePlan", "id": "1", "x": ' + "[" * depth + "]" * depth + "}"
    with pytest.raises(SourceUnreadable):
        read_bundle('{"resourceType": "Bundle", "entry": [{"resource": ' + resource + "}]}", "Trust")
