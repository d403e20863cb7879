"""Consent in FHIR: a patient who refuses that plans are shared. Only refusals are read: nothing widens anything."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from careplans.rows import Row
from careplans.sources.fhir_people import nhs_number_of, reference_of
from careplans.sources.fhir_values import listed, mapping, newer, text, version_of

_NOT_OF_SHARING = {"adr", "research", "treatment"}
"""Scopes (consentscope) of what may be done with the patient, not with the record: a refusal of resuscitation is a plan
to be seen, not one to be hidden."""


_OF_A_KIND = re.compile(r"[A-Z][A-Za-z]+/.")


def with_refusals(
    rows: Sequence[Row],
    resources: Sequence[Mapping[str, Any]],
    first_line: int,
    people: Mapping[str, Mapping[str, Any]],
    kinds: Collection[str],
) -> Iterator[Row]:
    """The rows of a bundle, those withdrawn that a Consent in it refuses, and a row for each such Consent.

    That row is for whoever knows the sender's other plans of the patient. ``kinds``: resources that are plans.
    """
    named = {line: _named(each, kinds) for line, each in enumerate(resources, start=first_line) if _refuses(each)}
    refusals = {line: resources[line - first_line] for line, ids in named.items() if ids is None or ids}
    beside: dict[int, list[str]] = {line: [] for line in refusals}
    for row in rows:
        resource = resources[row.line - first_line]
        line = next((at for at in refusals if _meets(refusals[at], named[at], resource, row, people)), None)
        if line is None:
            yield row
            continue
        plan_id = text(row.values.get("plan_id"))
        beside[line] += [plan_id] if plan_id else []
        version = newer(row.values.get("version"), version_of(refusals[line]))
        yield Row(row.line, {"plan_id": plan_id, "version": version, "withdrawn": "yes"})
    for line, each in refusals.items():
        values: dict[str, object] = {
            "plan_id": f"Consent/{text(each.get('id'))}",
            "version": version_of(each),
            "refuses": named[line] or beside[line],
        }
        if named[line] is None:
            values["nhs_number"] = nhs_number_of(each.get("patient"), people, each)
        yield Row(line, values, refusal=True)


def _refuses(resource: Mapping[str, Any]) -> bool:
    """Whether it refuses sharing. Exceptions that stand within a refusal are not read: they would widen it."""
    if resource.get("resourceType") != "Consent":
        return False
    scopes = {text(mapping(each).get("code")) for each in listed(mapping(resource.get("scope")).get("coding"))}
    if scopes and scopes <= _NOT_OF_SHARING:
        return False
    status, provision = text(resource.get("status")), mapping(resource.get("provision"))
    return status == "rejected" or (status == "active" and text(provision.get("type")) == "deny")


def _named(consent: Mapping[str, Any], kinds: Collection[str]) -> list[str] | None:
    """The plans to which the refusal is limited; None: it is of all, empty: it is of something else than plans.

    A reference of which nobody can say what it means (a ``urn:uuid:``, an identifier alone, the patient) is of all: to
    hide a plan that may be shared is the lesser harm, and a person is told.
    """
    references = [
        text(mapping(mapping(each).get("reference")).get("reference"))
        for each in listed(mapping(consent.get("provision")).get("data"))
    ]
    if not references:
        return None
    ids = ["/".join(each.partition("/_history")[0].split("/")[-2:]) for each in references]
    if any(not _OF_A_KIND.match(each) or each.startswith("Patient/") for each in ids):
        return None
    return [each for each in ids if each.partition("/")[0] in kinds]


def _meets(
    consent: Mapping[str, Any],
    named: Collection[str] | None,
    resource: Mapping[str, Any],
    row: Row,
    people: Mapping[str, Mapping[str, Any]],
) -> bool:
    if named is not None:
        return row.values.get("plan_id") in named
    subject = reference_of(resource.get("subject"), people)
    return bool(subject) and subject == reference_of(consent.get("patient"), people)
