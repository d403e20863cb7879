"""Plans in FHIR R4 bundles (UK Core): CarePlan, Flag, DocumentReference, and Consent that refuses.

Every resource becomes a row with the names of a plan file, so that all checks are the same; ``line`` is the number of
its entry. Fields that nobody knows here are counted and passed over. What is not in the bundle is not fetched: a
resource whose patient is missing is a row with that fault.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from careplans.kinds import SNOMED, PlanKind
from careplans.rows import HANDLER_LINE_LONGEST, Row
from careplans.sources.errors import SourceUnreadable
from careplans.sources.fhir_consents import with_refusals
from careplans.sources.fhir_people import find_people, person_of, pointed_at
from careplans.sources.fhir_values import listed, mapping, newer, one_line, paragraphs, text, version_of

SNOMED_SYSTEM = "http://snomed.info/sct"

_COMMON = {"resourceType", "id", "meta", "implicitRules", "language", "text", "contained", "identifier", "status"}
_KNOWN: Mapping[str, set[str]] = {
    "CarePlan": _COMMON | {"intent", "category", "title", "description", "subject", "period", "created", "author",
                           "contributor", "activity", "note"},
    "Flag": _COMMON | {"category", "code", "subject", "period", "author"},
    "DocumentReference": _COMMON | {"masterIdentifier", "docStatus", "type", "category", "subject", "date", "author",
                                    "custodian", "description", "securityLabel", "content", "context"},
}  # fmt: skip
_GONE: Mapping[str, set[str]] = {
    "CarePlan": {"revoked", "completed", "entered-in-error"},
    "Flag": {"inactive", "entered-in-error"},
    "DocumentReference": {"superseded", "entered-in-error"},
}
_BESIDE = {"Patient", "Organization", "Practitioner", "PractitionerRole", "OperationOutcome", "Provenance"}
_TWICE = "\0twice"
_RESTRICTED = {"R", "V"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle brought: rows, the number of fields that nobody knows, entries in it, and where it goes on."""

    rows: tuple[Row, ...]
    ignored: int
    entries: int
    next_url: str | None


def read_bundle(body: str, organisation: str, first_line: int = 1) -> Bundle:
    """The plans of a bundle; raises :class:`SourceUnreadable` where it is none.

    ``organisation``: the author of plans that name none.
    """
    bundle = _parsed(body)
    if bundle.get("resourceType") != "Bundle":
        raise SourceUnreadable("not a FHIR bundle")
    entries = listed(bundle.get("entry"))
    resources = [mapping(mapping(entry).get("resource")) for entry in entries]
    people = find_people(entries)
    rows: list[Row] = []
    ignored = 0
    for line, (entry, resource) in enumerate(zip(entries, resources, strict=True), start=first_line):
        kind = text(resource.get("resourceType"))
        if kind in _KNOWN:
            rows.append(_row(line, kind, resource, people, organisation))
            ignored += len(set(resource) - _KNOWN[kind])
        elif deleted := _deleted(mapping(entry)):
            rows.append(Row(line, deleted))
        elif kind != "Consent" and kind not in _BESIDE:
            rows.append(Row(line, {}, "is no resource that a plan can be read from"))
    return Bundle(
        tuple(with_refusals(rows, resources, first_line, people, _KNOWN)), ignored, len(entries), _next(bundle)
    )


def _parsed(body: str) -> Mapping[str, Any]:
    try:
        bundle = json.loads(body, object_pairs_hook=_object)
        _has_name_twice(bundle)  # what is nested too deep to be looked through is found out here, before any row
        return mapping(bundle)
    except (ValueError, RecursionError):
        raise SourceUnreadable("not JSON that can be read") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else found | {_TWICE: True}


def _has_name_twice(value: object) -> bool:
    if isinstance(value, dict):
        return _TWICE in value or any(map(_has_name_twice, value.values()))
    return isinstance(value, list) and any(map(_has_name_twice, value))


def _row(
    line: int, kind: str, resource: Mapping[str, Any], people: Mapping[str, Mapping[str, Any]], organisation: str
) -> Row:
    meta = mapping(resource.get("meta"))
    own_id = text(resource.get("id"))
    labels = [*listed(meta.get("security")), *listed(resource.get("securityLabel"))]
    restricted = any(_codes(label) & _RESTRICTED for label in labels)
    plan_id = f"{kind}/{own_id}" if own_id else ""
    own: dict[str, object] = {"plan_id": plan_id, "version": version_of(resource), "restricted": restricted}
    if _has_name_twice(resource):
        return Row(line, own, "has one name twice")
    patient = person_of(resource, people)
    said = patient or {}
    # a new number, or a restriction, changes the patient and not the plan
    own["version"] = newer(own["version"], said.pop("changed", ""))
    own["restricted"] = said.pop("restricted", False) or restricted
    status = text(resource.get("status"))
    if status in _GONE[kind] or text(resource.get("docStatus")) == "entered-in-error":
        return Row(line, own | {"withdrawn": "yes"})
    if status in ("draft", ""):
        return Row(line, own, "has no status, or is a draft")
    pointer = pointed_at(resource) if patient is None and kind == "DocumentReference" else None
    said = said or pointer or {}
    if not said:
        return Row(line, own, "has no subject that stands in the bundle")
    values = {**own, **said, **_content(kind, resource, organisation)}
    return Row(line, values, pointer=pointer is not None)


def _content(kind: str, resource: Mapping[str, Any], organisation: str) -> dict[str, object]:
    concepts = [resource.get("type"), resource.get("code"), *listed(resource.get("category"))]
    plan_kind = next((SNOMED[code] for concept in concepts for code in _snomed(concept) if code in SNOMED), None)
    if plan_kind is None and kind == "Flag":
        plan_kind = PlanKind.SPECIAL_PATIENT_NOTE
    period = mapping(resource.get("period") or mapping(resource.get("context")).get("period"))
    meta = mapping(resource.get("meta"))
    from_day = period.get("start") or resource.get("created") or resource.get("date") or meta.get("lastUpdated")
    short, long = _words(kind, resource)
    return {
        "kind": plan_kind.value if plan_kind else "",
        "author_org": _author(resource) or organisation,
        "handler_line": short or "There is a plan: a clinician can read it.",
        "detail": long,
        "valid_from": text(from_day)[:10],
        "review_by": text(period.get("end"))[:10],
    }


def _words(kind: str, resource: Mapping[str, Any]) -> tuple[str, str]:
    """What a handler sees, if the source says it shortly enough, and what a clinician reads."""
    if kind == "DocumentReference":
        return _where(resource)
    title = text(resource.get("title")) or text(mapping(resource.get("code")).get("text"))
    activities = [mapping(mapping(each).get("detail")).get("description") for each in listed(resource.get("activity"))]
    notes = [mapping(each).get("text") for each in listed(resource.get("note"))]
    said = [resource.get("description"), *activities, *notes]
    short = one_line(title)
    if len(short) <= HANDLER_LINE_LONGEST:
        return short, paragraphs(said)
    return "", paragraphs([title, *said])  # a sentence that is cut off may say the opposite


def _where(resource: Mapping[str, Any]) -> tuple[str, str]:
    """A pointer says where to look, and holds nothing of the document itself."""
    custodian = _organisation(resource.get("custodian"))
    attachments = [mapping(mapping(each).get("attachment")) for each in listed(resource.get("content"))]
    short = one_line(f"A plan is held by {custodian}: a clinician can look there." if custodian else "")
    places = [text(each.get("url")) for each in attachments]
    return (short if len(short) <= HANDLER_LINE_LONGEST else ""), paragraphs([custodian, *places])


def _author(resource: Mapping[str, Any]) -> str:
    authors = resource.get("author")
    first = authors[0] if isinstance(authors, list) and authors else authors
    return text(mapping(first).get("display")) or _organisation(resource.get("custodian"))


def _organisation(reference: object) -> str:
    """Its name, or the code by which everybody knows it."""
    found = mapping(reference)
    return text(found.get("display")) or text(mapping(found.get("identifier")).get("value"))


def _snomed(concept: object) -> list[str]:
    codings = [mapping(each) for each in listed(mapping(concept).get("coding"))]
    return [text(each.get("code")) for each in codings if each.get("system") == SNOMED_SYSTEM]


def _codes(label: object) -> set[str]:
    found = mapping(label)
    return {text(found.get("code")), *(text(mapping(each).get("code")) for each in listed(found.get("coding")))}


def _deleted(entry: Mapping[str, Any]) -> dict[str, object] | None:
    """A deletion as a history bundle tells it: no resource, and when it was."""
    request = mapping(entry.get("request"))
    plan_id = text(request.get("url")).partition("/_history")[0]
    if text(request.get("method")) != "DELETE" or plan_id.partition("/")[0] not in _KNOWN:
        return None
    version = text(mapping(entry.get("response")).get("lastModified"))
    return {"plan_id": plan_id, "version": version, "withdrawn": "yes"}


def _next(bundle: Mapping[str, Any]) -> str | None:
    links = [mapping(each) for each in listed(bundle.get("link"))]
    return next((text(each.get("url")) for each in links if each.get("relation") == "next"), None) or None
