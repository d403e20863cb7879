"""Whom a FHIR resource is about: its Patient, in the bundle or in the resource itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from careplans.sources.fhir_values import listed, mapping, one_line, text

NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
_RESTRICTED = {"R", "V"}
_VERIFICATION = "NHSNumberVerificationStatus"
_VERIFIED = {"01", "number-present-and-verified"}


def find_people(entries: Sequence[object]) -> Mapping[str, Mapping[str, Any]]:
    """The patients of a bundle, by each reference that may name them."""
    people: dict[str, Mapping[str, Any]] = {}
    for entry in map(mapping, entries):
        resource = mapping(entry.get("resource"))
        if resource.get("resourceType") == "Patient":
            names = {f"Patient/{text(resource.get('id'))}", text(entry.get("fullUrl"))}
            people |= dict.fromkeys(names - {"", "Patient/"}, resource)
    return people


def reference_of(reference: object, people: Mapping[str, Mapping[str, Any]]) -> str:
    """One name for whom a reference means, the same however it is written; empty if it says nothing."""
    found = mapping(reference)
    number = text(mapping(found.get("identifier")).get("value"))
    named = text(found.get("reference")).partition("/_history")[0]
    relative = "/".join(named.split("/")[-2:])
    patient = people.get(named) or people.get(relative)
    return (_nhs_number(patient) if patient else "") or number or relative


def nhs_number_of(reference: object, people: Mapping[str, Mapping[str, Any]], resource: Mapping[str, Any]) -> str:
    """The NHS number of whom a reference of ``resource`` means: its patient's, or the one that it gives itself."""
    found = mapping(reference)
    named = text(found.get("reference")).partition("/_history")[0]
    contained = {f"#{text(mapping(each).get('id'))}": mapping(each) for each in listed(resource.get("contained"))}
    patient = people.get(named) or people.get("/".join(named.split("/")[-2:])) or contained.get(named)
    identifier = mapping(found.get("identifier"))
    given = text(identifier.get("value")) if identifier.get("system") == NHS_NUMBER else ""
    return (_nhs_number(patient) if patient else "") or given


def person_of(resource: Mapping[str, Any], people: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The fields of a row that say who; None without a patient."""
    reference = text(mapping(resource.get("subject")).get("reference")).partition("/_history")[0]
    contained = {f"#{text(mapping(each).get('id'))}": mapping(each) for each in listed(resource.get("contained"))}
    known = {**people, **contained}
    patient = known.get(reference) or known.get("/".join(reference.split("/")[-2:]))
    if not reference or patient is None or patient.get("resourceType") != "Patient":
        return None
    name = _name(patient)
    labels = {text(mapping(each).get("code")) for each in listed(mapping(patient.get("meta")).get("security"))}
    return {
        "nhs_number": _nhs_number(patient),
        "given_name": one_line(" ".join(map(text, listed(name.get("given"))))),
        "family_name": one_line(name.get("family")),
        "date_of_birth": text(patient.get("birthDate")),
        "phones": _phones(patient),
        "restricted": bool(labels & _RESTRICTED),
        "changed": text(mapping(patient.get("meta")).get("lastUpdated")),
    }


def pointed_at(resource: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a row that say who, where the subject is an NHS number and nothing else; None if it is not.

    A number whose verification status stands beside it and is anything but "01 number present and verified" is none.
    """
    subject = mapping(resource.get("subject"))
    identifier = mapping(subject.get("identifier"))
    if subject.get("reference") or identifier.get("system") != NHS_NUMBER:
        return None
    said = [
        each for each in map(mapping, listed(identifier.get("extension"))) if _VERIFICATION in text(each.get("url"))
    ]
    statuses = [listed(mapping(each.get("valueCodeableConcept")).get("coding")) for each in said]
    if not all(any(text(mapping(code).get("code")) in _VERIFIED for code in codes) for codes in statuses):
        return None
    return {"nhs_number": text(identifier.get("value"))}


def _nhs_number(patient: Mapping[str, Any]) -> str:
    identifiers = map(mapping, listed(patient.get("identifier")))
    return next((text(each.get("value")) for each in identifiers if each.get("system") == NHS_NUMBER), "")


def _name(patient: Mapping[str, Any]) -> Mapping[str, Any]:
    """The official or usual name, not one of before."""
    names = [mapping(each) for each in listed(patient.get("name"))]
    order = {"official": 0, "usual": 1, "old": 9, "maiden": 9}
    return min(names, key=lambda each: order.get(text(each.get("use")), 5), default={})


def _phones(patient: Mapping[str, Any]) -> list[str]:
    """Every number that is not one of before."""
    telecom = [mapping(each) for each in listed(patient.get("telecom"))]
    kept = [each for each in telecom if text(each.get("system")) in ("phone", "sms") and text(each.get("use")) != "old"]
    return [text(each.get("value")) for each in kept]
