"""One row of a plan file, checked: either a plan, or what is wrong with it, without its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from careplans.kinds import PlanKind, read_kind
from careplans.model import Person, Plan, RowFault, is_nhs_number
from careplans.phones import Phones, read_phones

T = TypeVar("T")

HANDLER_LINE_LONGEST = 160
"""Characters that a handler can read while somebody talks (docs/domain.md, care and crisis plans)."""
DETAIL_LONGEST = 20_000
"""About six printed pages; more is a document, and belongs in its own system."""
EARLIEST_BIRTH = date(1880, 1, 1)
"""Nobody alive was born before; an older date is a typing error or a placeholder."""
EARLIEST_PLAN = date(1948, 7, 5)
"""The first day of the NHS; an older date of a plan is a typing error or a placeholder."""

# Control characters, line and paragraph separators, half surrogates, marks that reverse how a line reads.
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_NOT_ON_A_LINE = re.compile(f"[{_CONTROLS}\t\n\r]")
_NOT_IN_TEXT = re.compile(f"[{_CONTROLS}]")
_ISO_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AS_FORMULA = re.compile(r'="([^"]*)"')
_BETWEEN_PHONES = re.compile("[;,/|\r\n]")
_WORDS = {
    "": False,
    "no": False,
    "false": False,
    "0": False,
    "n": False,
    "yes": True,
    "true": True,
    "1": True,
    "y": True,
}


@dataclass(frozen=True, slots=True)
class Row:
    """What a source gave for one plan. ``line`` is where, counted from 1; ``fault`` says why it is no row."""

    line: int
    values: Mapping[str, object] = field(repr=False)
    fault: str | None = None
    pointer: bool = False
    """It says of whom by a verified NHS number alone."""
    refusal: bool = False
    """It is no plan: a patient says that plans must not be shared."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A plan that its source took back, as of ``version``."""

    line: int
    source: str
    plan_id: str = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A patient's word, as of ``version``, that plans of the sender must not be shared.

    Those of ``plan_ids``, and if ``nhs_number`` is set every plan that the sender has of it.
    """

    row: Row
    source: str
    refusal_id: str = field(repr=False)
    plan_ids: tuple[str, ...] = field(repr=False)
    nhs_number: str | None = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A plan that may be stored, and what is odd about it; of ``row`` it lacks what ``left_out`` says."""

    line: int
    plan: Plan
    warnings: tuple[RowFault, ...] = ()
    left_out: tuple[RowFault, ...] = ()
    row: Row | None = None


def check_row(row: Row, today: date) -> CheckedRow | Gone | Refusal | tuple[RowFault, ...]:
    """The plan of ``row``, or that it is gone, or every fault that was found. Never raises for what a row may hold."""
    if row.fault is not None:
        return (RowFault(row.line, "row", row.fault),)
    try:
        if row.refusal:
            said = RefusalFields.model_validate(dict(row.values))
            return Refusal(row, said.source, said.plan_id, said.refuses, said.nhs_number, said.version)
        if _is_withdrawn(row.values):
            gone = GoneFields.model_validate(dict(row.values))
            return Gone(row.line, gone.source, gone.plan_id, gone.version)
        fields = (PointerFields if row.pointer else PlanFields).model_validate(dict(row.values))
    except ValidationError as error:
        return tuple(_faults(row.line, error))
    faults = tuple(RowFault(row.line, name, reason) for name, reason in _date_faults(fields, today))
    if faults:
        return faults
    oddities = tuple(RowFault(row.line, name, reason) for name, reason in _oddities(fields, today))
    left_out = tuple(RowFault(row.line, "phones", reason) for reason in fields.phones.left_out)
    return CheckedRow(row.line, _plan(fields), oddities, left_out, row if left_out else None)


@dataclass(frozen=True, slots=True)
class RecordId:
    """What a row says of which plan it is, even where nothing else in it is right; None for what is not told."""

    source: str
    plan_id: str | None = field(repr=False)
    version: int | None
    restricted: bool = False


def read_id(values: Mapping[str, object], system: str | None = None) -> RecordId:
    """Which plan a row is about. ``system``: the only one that its sender speaks for."""
    source = system or _read_or_none(_line(100), values.get("source"))
    plan_id = _read_or_none(_line(200), values.get("plan_id"))
    version, restricted = _read_or_none(_version, values.get("version")), _read_or_none(_yes, values.get("restricted"))
    return RecordId(source or "", plan_id if source else None, version, bool(restricted))


def read_nhs_number(values: Mapping[str, object]) -> str | None:
    """The NHS number that a row gives, if it is a right one, even where nothing else in it is right."""
    return _read_or_none(_valid_number, values.get("nhs_number"))


def _read_or_none(read: Callable[[object], T], value: object) -> T | None:
    try:
        return read(value)
    except ValueError:
        return None


def _is_withdrawn(values: Mapping[str, object]) -> bool:
    try:
        return _yes(values.get(WITHDRAWN))
    except ValueError:
        return False  # named with the other faults of the row


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if not isinstance(value, str | int):
        raise ValueError("is not text")
    return str(value).strip()


def _line(longest: int, *, needed: bool = True) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _text(value)
        if needed and not text:
            raise ValueError("is missing")
        if len(text) > longest:
            raise ValueError(f"is longer than {longest} characters")
        if _NOT_ON_A_LINE.search(text):
            raise ValueError("holds a line break or a control character")
        return text

    return read


def _paragraphs(value: object) -> str:
    text = _text(value).replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > DETAIL_LONGEST:
        raise ValueError(f"is longer than {DETAIL_LONGEST} characters")
    if _NOT_IN_TEXT.search(text):
        raise ValueError("holds a control character")
    return text


def _date(value: object) -> date | None:
    text = _text(value)
    if not text:
        return None
    if not _ISO_DATE.fullmatch(text):
        raise ValueError("is not a date written as YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a day of the calendar") from None


def _needed_date(value: object) -> date:
    day = _date(value)
    if day is None:
        raise ValueError("is missing")
    return day


def _needed(value: object) -> str:
    text = _text(value)
    if not text:
        raise ValueError("is missing")
    return text


def _kind(value: object) -> PlanKind:
    return read_kind(_text(value))


def _version(value: object) -> int:
    text = _needed(value)
    if "T" in text:
        return instant_version(text)
    if not re.fullmatch("[0-9]{1,15}", text):
        raise ValueError("is not a whole number of at most 15 digits")
    return int(text)


def instant_version(text: str) -> int:
    """The version that a time of change stands for: milliseconds since 1970. Raises ValueError without a zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is neither a whole number nor a time") from None
    if at.tzinfo is None or not EARLIEST_PLAN <= at.date() <= date(9000, 1, 1):
        raise ValueError("is a time without a zone, or out of all bounds")
    return int(at.astimezone(UTC).timestamp() * 1000)


def _yes(value: object) -> bool:
    known = _WORDS.get(_text(value).casefold())
    if known is None:
        raise ValueError("is neither yes nor no")
    return known


def _number_text(value: object) -> str:
    """Text of digits without the ``="…"`` that keeps a spreadsheet from taking its first 0 away."""
    text = _text(value)
    return wrapped[1].strip() if (wrapped := _AS_FORMULA.fullmatch(text)) else text


def _ten_digits(value: object) -> str | None:
    digits = re.sub("[ -]", "", _number_text(value))
    if not digits:
        return None
    if not re.fullmatch("[0-9]{10}", digits):
        raise ValueError("is not ten digits")
    return digits


def _valid_number(value: object) -> str:
    number = _ten_digits(value)
    if number is None or not is_nhs_number(number):
        raise ValueError("is no valid NHS number, and nothing else says of whom this is")
    return number


def _nothing(value: object) -> None:
    if value is not None:
        raise ValueError("has no place in a pointer")


def _phones(value: object) -> Phones:
    pieces = value if isinstance(value, list) else _BETWEEN_PHONES.split(_number_text(value))
    return read_phones([_number_text(piece) for piece in pieces])


class PlanFields(BaseModel):
    """The names of a plan file (docs/plan-files.md), and what may stand under each."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    plan_id: Annotated[str, BeforeValidator(_line(200))]
    source: Annotated[str, BeforeValidator(_line(100))]
    author_org: Annotated[str, BeforeValidator(_line(200))]
    kind: Annotated[PlanKind, BeforeValidator(_kind)]
    nhs_number: Annotated[str | None, BeforeValidator(_ten_digits)] = None
    given_name: Annotated[str, BeforeValidator(_line(100, needed=False))] = ""
    family_name: Annotated[str, BeforeValidator(_line(100))]
    date_of_birth: Annotated[date | None, BeforeValidator(_needed_date)]
    phones: Annotated[Phones, BeforeValidator(_phones)] = Phones()
    handler_line: Annotated[str, BeforeValidator(_line(HANDLER_LINE_LONGEST))]
    detail: Annotated[str, BeforeValidator(_paragraphs)] = ""
    valid_from: Annotated[date, BeforeValidator(_needed_date)]
    review_by: Annotated[date | None, BeforeValidator(_date)] = None
    version: Annotated[int, BeforeValidator(_version)]
    restricted: Annotated[bool, BeforeValidator(_yes)] = False
    withdrawn: Annotated[bool, BeforeValidator(_yes)] = False


class PointerFields(PlanFields):
    """What a pointer needs: an NHS number in the place of name and date of birth."""

    nhs_number: Annotated[str | None, BeforeValidator(_valid_number)]
    family_name: Annotated[str, BeforeValidator(_line(0, needed=False))] = ""
    date_of_birth: Annotated[date | None, BeforeValidator(_nothing)] = None


class GoneFields(BaseModel):
    """What a row needs that says that a plan is gone; whatever else stands in it is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    plan_id: Annotated[str, BeforeValidator(_line(200))]
    source: Annotated[str, BeforeValidator(_line(100))]
    version: Annotated[int, BeforeValidator(_version)]


class RefusalFields(GoneFields):
    """What a refusal needs. ``refuses``: plans that it names, or that stood beside it."""

    refuses: tuple[Annotated[str, BeforeValidator(_line(200))], ...] = ()
    nhs_number: Annotated[str | None, BeforeValidator(_ten_digits)] = None


COLUMNS = tuple(PlanFields.model_fields)
GONE_COLUMNS = tuple(GoneFields.model_fields)
WITHDRAWN = "withdrawn"
NEEDED_COLUMNS = tuple(name for name, each in PlanFields.model_fields.items() if each.is_required())


def _faults(line: int, error: ValidationError) -> list[RowFault]:
    return [
        # A name that we do not know may be anything, also a person's: it is not repeated.
        RowFault(line, "row", "has a name that is not one of the known ones")
        if each["type"] == "extra_forbidden"
        else RowFault(line, str(each["loc"][0]), _reason(each["type"], each.get("ctx", {})))
        for each in error.errors(include_url=False, include_input=False)
    ]


def _reason(kind: str, context: Mapping[str, object]) -> str:
    if kind == "missing":
        return "is missing"
    return str(context.get("error", "cannot be read"))


def _date_faults(fields: PlanFields, today: date) -> list[tuple[str, str]]:
    faults = []
    born = fields.date_of_birth
    if born is not None and not EARLIEST_BIRTH <= born <= today:
        faults.append(("date_of_birth", "is in the future or before 1880"))
    if fields.valid_from < EARLIEST_PLAN:
        faults.append(("valid_from", "is before the NHS began"))
    if fields.review_by is not None and fields.review_by < fields.valid_from:
        faults.append(("review_by", "is before valid_from"))
    return faults


def _oddities(fields: PlanFields, today: date) -> list[tuple[str, str]]:
    oddities = []
    if fields.nhs_number is not None and not is_nhs_number(fields.nhs_number):
        oddities.append(("nhs_number", "fails its check digit: kept, never matched on"))
    if fields.valid_from > today:
        oddities.append(("valid_from", "is in the future: the plan is found from now on all the same"))
    return oddities


def _plan(fields: PlanFields) -> Plan:
    person = Person(
        given_name=fields.given_name,
        family_name=fields.family_name,
        birth_date=fields.date_of_birth,
        nhs_number=fields.nhs_number,
        phones=fields.phones.e164,
    )
    return Plan(
        plan_id=fields.plan_id,
        source=fields.source,
        author_org=fields.author_org,
        kind=fields.kind,
        person=person,
        handler_line=fields.handler_line,
        detail=fields.detail,
        valid_from=fields.valid_from,
        review_by=fields.review_by,
        version=fields.version,
        restricted=fields.restricted,
    )
