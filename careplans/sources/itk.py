"""Special patient notes in NHS 111 reports (ITK/CDA): one plan for each patient and sender, as of the newest report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from careplans.kinds import PlanKind
from careplans.rows import HANDLER_LINE_LONGEST, Row
from careplans.sources.errors import SourceUnreadable
from careplans.sources.fhir_values import paragraphs
from infra.itk import ItkError, Report, read_message


def read_notes(octets: bytes, organisation: str) -> Sequence[Row]:
    """A row for every report that holds notes, and one with its fault for every part that cannot be read.

    ``line`` is the number of the report in the message. Raises :class:`SourceUnreadable` for what is no message.
    """
    try:
        message = read_message(octets)
    except ItkError as error:
        raise SourceUnreadable(f"no report that can be read: {error}") from None
    rows = list(_rows(message.reports, organisation))
    faults = [Row(len(message.reports) + each.place, {}, each.reason) for each in message.faults]
    return [*rows, *faults]


def _rows(reports: Sequence[Report], organisation: str) -> Iterator[Row]:
    for line, report in enumerate(reports, start=1):
        if report.special_patient_notes:
            yield _row(line, report, organisation)


def _row(line: int, report: Report, organisation: str) -> Row:
    patient, started = report.patient, report.started
    author = report.provider.name or report.provider.ods or organisation
    short = f"Special patient notes from {author}: a clinician can read them."
    who = patient.nhs_number if patient.nhs_number_is_right else report.set_id or report.document_id
    values = {
        "plan_id": f"notes/{who}",
        # the time of the contact: the document's own may be years off
        "version": started.at.isoformat() if started else "",
        "author_org": author,
        "kind": PlanKind.SPECIAL_PATIENT_NOTE.value,
        "nhs_number": patient.nhs_number,
        "given_name": " ".join(patient.given_names),
        "family_name": patient.family_name,
        "date_of_birth": patient.birth_date.isoformat() if patient.birth_date else "",
        "phones": list(patient.telephones),
        "handler_line": short if len(short) <= HANDLER_LINE_LONGEST else "There are special patient notes.",
        "detail": paragraphs(report.special_patient_notes),
        "valid_from": started.at.date().isoformat() if started else "",
    }
    return Row(line, values)
