"""NHS 111 reports as case systems send them: an ITK DistributionEnvelope of CDA documents, or one bare document.

Read as they come, not as they should be: element names count, their name spaces do not; the zone of a time may be
``+00``, ``+0000`` or missing; documents stand in any order. Nothing is fetched: a document type, an entity or an
external reference is refused (defusedxml).

Roots of identifiers (NHS 111 CDA profile): verified NHS number 2.16.840.1.113883.2.1.4.1, unverified …18.23;
encounter …18.34, case reference …18.35, journey …18.49.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]

from infra.hl7_time import Hl7Time, read_day, read_time
from infra.nhs_number import is_nhs_number

MOST_OCTETS = 16 * 1024 * 1024
"""Of one message: six reports with their narratives are below half a megabyte."""

MOST_DEEP = 200
"""Elements in elements: the documents of four systems go 30 deep."""

MOST_DOCUMENTS = 1000
"""In one envelope: as many as a provider of the whole country has reports in an hour."""

_NPFIT = "2.16.840.1.113883.2.1.3.2.4.18."
_NHS_VERIFIED, _NHS_UNVERIFIED = "2.16.840.1.113883.2.1.4.1", _NPFIT + "23"
_ENCOUNTER, _CASE, _JOURNEY = _NPFIT + "34", _NPFIT + "35", _NPFIT + "49"
_GENDERS = {"1": "male", "2": "female"}
_DISPOSITION = re.compile(r"dx\s*(\d{1,6})", re.ASCII | re.IGNORECASE)
_NOTES = "special patient notes"


class ItkError(Exception):
    """The message cannot be read at all; send it again when it is right. The text repeats nothing of it."""

    error_id = "itk_unreadable"


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation: its ODS code and its name, each empty if it is not told."""

    ods: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """Whom a report is about, as it says; what it does not say is empty or None.

    ``nhs_number`` is ten digits or whatever was written there; ``nhs_verified`` is the sender's word that it was
    traced. ``gender`` is ``male`` or ``female``. ``postcode`` is that of the home. ``telephones`` are as written.
    """

    nhs_number: str = field(default="", repr=False)
    nhs_verified: bool = False
    given_names: tuple[str, ...] = field(default=(), repr=False)
    family_name: str = field(default="", repr=False)
    birth_date: date | None = field(default=None, repr=False)
    gender: str = field(default="", repr=False)
    postcode: str = field(default="", repr=False)
    telephones: tuple[str, ...] = field(default=(), repr=False)

    @property
    def nhs_number_is_right(self) -> bool:
        """Whether its check digit is right. One that is not is kept, and never matched on."""
        return is_nhs_number(self.nhs_number)


@dataclass(frozen=True, slots=True)
class Encounter:
    """The contact that a report tells of. Ids and references are unique within their organisation only."""

    ids: tuple[str, ...]
    case_reference: str
    start: Hl7Time | None
    end: Hl7Time | None


@dataclass(frozen=True, slots=True)
class Disposition:
    """What came of it. ``code`` is ``Dx`` and at least two digits, empty if it is none; ``original`` as written."""

    code: str = ""
    original: str = ""
    words: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the narrative, as plain text; lines as they were broken."""

    title: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """One CDA document. ``version`` counts from 1 within ``set_id``; 0 if it is not told."""

    document_id: str
    set_id: str
    version: int
    document_time: Hl7Time | None
    patient: Patient
    encounter: Encounter
    author: Organisation
    custodian: Organisation
    disposition: Disposition
    sections: tuple[Section, ...] = ()

    @property
    def started(self) -> Hl7Time | None:
        """When the contact began: the encounter's own start, else the document's time, which is doubtful."""
        if self.encounter.start is not None:
            return self.encounter.start
        return Hl7Time(self.document_time.at, doubtful=True) if self.document_time else None

    @property
    def provider(self) -> Organisation:
        """Whose contact it was: the custodian of the record, else the organisation of its author."""
        return self.custodian if self.custodian.ods else self.author

    @property
    def special_patient_notes(self) -> tuple[str, ...]:
        """The texts of sections with that title, in their order."""
        return tuple(each.text for each in self.sections if _NOTES in each.title.casefold() and each.text)


@dataclass(frozen=True, slots=True)
class ReportFault:
    """A part of the message that was left out: the ``place``-th document or payload from 1, and why."""

    place: int
    reason: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a message brought, in its own order, which is not that of time. ``sender`` is an ODS code or empty."""

    tracking_id: str
    sender: str
    reports: tuple[Report, ...]
    faults: tuple[ReportFault, ...] = ()


def read_message(octets: bytes) -> Message:
    """Read an envelope (within SOAP or without) or a bare document.

    Raises :class:`ItkError` if it is no XML, too large or too deep, has a document type, or holds no report at all.
    A document that lacks what every report has is a fault; the others are read.
    """
    root = _parse(octets)
    documents = [root] if _name(root) == "ClinicalDocument" else list(_all(root, "ClinicalDocument"))
    if len(documents) > MOST_DOCUMENTS:
        raise ItkError(f"more than {MOST_DOCUMENTS} documents")
    reports: list[Report] = []
    faults = [ReportFault(place, reason) for place, reason in _closed_payloads(root)]
    for place, document in enumerate(documents, start=1):
        if (reason := _lacks(document)) is None:
            reports.append(_report(document))
        else:
            faults.append(ReportFault(place, reason))
    if not reports and not faults:
        raise ItkError("no ClinicalDocument in it")
    header = _first(_all(root, "DistributionEnvelope"), "header")
    sender = _attribute(_first([header], "senderAddress"), "uri").rpartition(":")[2]
    return Message(_attribute(header, "trackingid"), sender, tuple(reports), tuple(faults))


def _parse(octets: bytes) -> Element:
    if len(octets) > MOST_OCTETS:
        raise ItkError(f"larger than {MOST_OCTETS} octets")
    root: Element | None = None
    deep = 0
    try:
        for event, element in iterparse(io.BytesIO(octets), events=("start", "end"), forbid_dtd=True):
            root = element if root is None else root
            deep += 1 if event == "start" else -1
            if deep > MOST_DEEP:
                raise ItkError(f"nested more than {MOST_DEEP} deep")
    except ParseError as error:
        raise ItkError(f"not XML: line {error.position[0]}") from None
    except DefusedXmlException as error:
        raise ItkError(f"refused: {type(error).__name__}") from None
    except (ValueError, LookupError):  # an encoding that is unknown, or that cannot be read piece by piece
        raise ItkError("not XML: its encoding") from None
    if root is None:
        raise ItkError("not XML: empty")
    return root


def _closed_payloads(root: Element) -> Iterator[tuple[int, str]]:
    """Payloads that hold no document in clear: base64, compressed or encrypted ones are not opened here."""
    for place, payload in enumerate(_all(root, "payload"), start=1):
        if next(_all(payload, "ClinicalDocument"), None) is None:
            yield place, "payload without a ClinicalDocument in clear"


def _lacks(document: Element) -> str | None:
    if _first([document], "recordTarget", "patientRole") is None:
        return "no patient"
    if _first([document], "id") is None:
        return "no document id"
    if _first([document], "componentOf", "encompassingEncounter") is None:
        return "no encounter"
    return None


def _report(document: Element) -> Report:
    version = _attribute(_first([document], "versionNumber"), "value")
    return Report(
        document_id=_id_of(_first([document], "id")),
        set_id=_id_of(_first([document], "setId")),
        version=int(version) if version.isascii() and version.isdigit() and len(version) <= 9 else 0,
        document_time=_time(_first([document], "effectiveTime")),
        patient=_patient(_first([document], "recordTarget", "patientRole")),
        encounter=_encounter(_first([document], "componentOf", "encompassingEncounter")),
        author=_organisation(_first([document], "author", "assignedAuthor", "representedOrganization")),
        custodian=_organisation(
            _first([document], "custodian", "assignedCustodian", "representedCustodianOrganization")
        ),
        disposition=_disposition(
            _first([document], "componentOf", "encompassingEncounter", "dischargeDispositionCode")
        ),
        sections=tuple(_sections(document)),
    )


def _patient(role: Element | None) -> Patient:
    number, verified = "", False
    for each in _children(role, "id"):
        root, extension = _attribute(each, "root"), _squeezed(_attribute(each, "extension"))
        if extension and (root == _NHS_VERIFIED or (root == _NHS_UNVERIFIED and not verified)):
            number, verified = extension, root == _NHS_VERIFIED
    person = _first([role], "patient")
    name = _first([person], "name")
    phones = (_attribute(each, "value").partition(":")[2].strip() for each in _children(role, "telecom"))
    return Patient(
        nhs_number=number,
        nhs_verified=verified,
        given_names=tuple(text for each in _children(name, "given") if (text := _plain(each))),
        family_name=_plain(_first([name], "family")),
        birth_date=read_day(_attribute(_first([person], "birthTime"), "value")),
        gender=_GENDERS.get(_attribute(_first([person], "administrativeGenderCode"), "code"), ""),
        postcode=_postcode(role),
        telephones=tuple(dict.fromkeys(phone for phone in phones if phone)),
    )


def _postcode(role: Element | None) -> str:
    """The postcode of the home; not of where the patient is now (``PHYS``)."""
    addresses = [each for each in _children(role, "addr") if _attribute(each, "use") != "PHYS"]
    addresses.sort(key=lambda each: _attribute(each, "use") != "H")
    return next((code for each in addresses if (code := _plain(_first([each], "postalCode")))), "")


def _encounter(element: Element | None) -> Encounter:
    ids: list[str] = []
    case = ""
    for each in _children(element, "id"):
        root, extension = _attribute(each, "root"), _attribute(each, "extension").strip()
        if extension and root in (_ENCOUNTER, _JOURNEY):
            ids.append(extension)
        elif extension and root == _CASE:
            case = extension
    period = _first([element], "effectiveTime")
    return Encounter(tuple(dict.fromkeys(ids)), case, _time(_first([period], "low")), _time(_first([period], "high")))


def _organisation(element: Element | None) -> Organisation:
    return Organisation(_attribute(_first([element], "id"), "extension").strip(), _plain(_first([element], "name")))


def _disposition(element: Element | None) -> Disposition:
    original = _attribute(element, "code").strip()
    return Disposition(normal_disposition(original), original, _attribute(element, "displayName").strip())


def normal_disposition(written: str) -> str:
    """``DX02``, ``Dx2``, ``dx 02`` → ``Dx02``; empty if there is none in it.

    A zero before two or more digits belongs to the code: Dx011 and Dx11 are different dispositions.
    """
    found = _DISPOSITION.search(written)
    return f"Dx{found.group(1).rjust(2, '0')}" if found else ""


def _sections(document: Element) -> Iterator[Section]:
    for each in _all(document, "section"):
        section = Section(_plain(_first([each], "title")), _lines(_first([each], "text")))
        if section.title or section.text:
            yield section


# ---------------------------------------------------------------- the tree

_BREAKS = frozenset({"br", "paragraph", "item", "tr", "list", "table", "caption"})


def _lines(element: Element | None) -> str:
    """The words of a narrative block: a line for each line there, spaces as one, empty lines left out."""
    if element is None:
        return ""
    pieces: list[str] = []
    _words(element, pieces)
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def _words(element: Element, pieces: list[str]) -> None:
    mark = "\n" if _name(element) in _BREAKS else " "
    pieces.extend((mark, " ".join((element.text or "").split())))
    for child in element:
        _words(child, pieces)
        pieces.append(f"{' ' if (child.tail or '')[:1].isspace() else ''}{' '.join((child.tail or '').split())}")
    pieces.append(mark)


def _plain(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _id_of(element: Element | None) -> str:
    """A root alone, or a root and an extension."""
    root, extension = _attribute(element, "root").strip(), _attribute(element, "extension").strip()
    return f"{root}^{extension}" if extension else root


def _time(element: Element | None) -> Hl7Time | None:
    return read_time(_attribute(element, "value"))


def _attribute(element: Element | None, name: str) -> str:
    return "" if element is None else element.get(name, "")


def _name(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""  # comments and instructions have no name


def _children(element: Element | None, name: str) -> list[Element]:
    return [] if element is None else [each for each in element if _name(each) == name]


def _first(parents: Iterable[Element | None], *path: str) -> Element | None:
    """The first element down ``path`` from the first parent that has it."""
    level = [each for each in parents if each is not None]
    for name in path:
        level = [child for parent in level for child in _children(parent, name)]
    return level[0] if level else None


def _all(root: Element, name: str) -> Iterator[Element]:
    return (each for each in root.iter() if _name(each) == name)
