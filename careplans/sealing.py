"""A plan as it may be stored: personal fields sealed with a key of the record, look-up values hashed."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, field
from datetime import date

from careplans.errors import PlanUnreadable
from careplans.model import Person, Plan, is_nhs_number
from infra.crypto import DataKey, KeyRing, SealError


@dataclass(frozen=True, slots=True)
class PersonKeys:
    """Whom a plan is about, as keyed hashes. ``nhs_key`` is None without a valid NHS number."""

    nhs_key: str | None
    name_key: str


@dataclass(frozen=True, slots=True)
class RowKeys:
    """Every keyed hash of a stored plan, all under the index key whose id is ``index_key``."""

    index_key: str
    identity: str
    nhs_key: str | None
    name_key: str
    surname_key: str | None
    content_key: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """The secret half of a stored plan."""

    wrapped_key: bytes = field(repr=False)
    person: bytes = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Content:
    """What a plan says: for whoever takes the call, and for clinicians."""

    handler_line: str = field(repr=False)
    detail: str = field(repr=False)


class Sealer:
    """Turns plans into what may be stored, and back."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring

    @property
    def index_key(self) -> str:
        """The id of the index key that is written."""
        return self._keyring.index_keys[0]

    @property
    def index_keys(self) -> tuple[str, ...]:
        """The ids of the index keys that are asked."""
        return self._keyring.index_keys

    def has_master(self, wrapped_key: bytes) -> bool:
        """Whether the master key that wrapped this key of a record is at hand."""
        return self._keyring.has_master(wrapped_key)

    @property
    def rotates(self) -> bool:
        """Whether rows may stand under more than one index key."""
        return len(self._keyring.index_keys) > 1

    def identities(self, source: str, plan_id: str) -> tuple[str, ...]:
        """The hashes under which this plan, in whatever version, may be stored; the one that is written first."""
        return self._keyring.index_all("plan-identity", json.dumps([source, plan_id]))

    def number_hash(self, e164: str) -> str:
        """The hash under which a telephone number is written."""
        return self._keyring.index("plan-number", e164)

    def number_hashes(self, e164: str) -> tuple[str, ...]:
        """The hashes under which a telephone number is looked up."""
        return self._keyring.index_all("plan-number", e164)

    def nhs_hashes(self, number: str) -> tuple[str, ...]:
        """The hashes under which a valid NHS number is looked up."""
        return self._keyring.index_all("plan-nhs-number", number)

    def surname_hashes(self, family_name: str, born: date) -> tuple[str, ...]:
        """The hashes under which a family name with a date of birth is looked up; none if it has no letter."""
        value = _surname(family_name, born)
        return self._keyring.index_all("plan-surname", value) if value else ()

    def person_keys(self, person: Person) -> tuple[PersonKeys, ...]:
        """The hashes by which two plans of one person are recognised without opening them; those written first.

        An NHS number with a wrong check digit gives none: it is kept, and never matched on (docs/domain.md).
        """
        names = self._keyring.index_all("plan-person", _names(person))
        number = _valid_number(person)
        numbers = self.nhs_hashes(number) if number else (None,) * len(names)
        return tuple(PersonKeys(nhs, name) for nhs, name in zip(numbers, names, strict=True))

    def row_keys(self, identity: str, person: Person, content: Content, review_by: date | None) -> RowKeys:
        """The hashes to write with a plan; ``identity`` is the first of its :meth:`identities`."""
        index = self._keyring.index
        number, born = _valid_number(person), person.birth_date
        surname = None if born is None else _surname(person.family_name, born)
        said = [content.handler_line, content.detail, review_by and review_by.isoformat()]
        return RowKeys(
            index_key=self.index_key,
            identity=identity,
            nhs_key=index("plan-nhs-number", number) if number else None,
            name_key=index("plan-person", _names(person)),
            surname_key=index("plan-surname", surname) if surname else None,
            content_key=index("plan-content", json.dumps(said)),
        )

    def seal(self, row_id: str, plan: Plan) -> Sealed:
        """The personal fields under a new key; they open for this row only, and each in its own column."""
        key = self._keyring.new_data_key()
        person = plan.person
        who = {
            "plan_id": plan.plan_id,
            "given_name": person.given_name,
            "family_name": person.family_name,
            "birth_date": person.birth_date and person.birth_date.isoformat(),
            "nhs_number": person.nhs_number,
            "phones": person.phones,
        } | ({"kept_phones": person.kept_phones} if person.kept_phones else {})
        what = {"handler_line": plan.handler_line, "detail": plan.detail}
        return Sealed(
            key.wrapped,
            key.seal(json.dumps(who).encode(), _context(row_id, "person")),
            key.seal(json.dumps(what).encode(), _context(row_id, "content")),
        )

    def seal_reference(self, row_id: str, plan_id: str) -> Sealed:
        """The source's own id of a plan that never came, for its tombstone: it must be found under a new index key."""
        key = self._keyring.new_data_key()
        who = json.dumps({"plan_id": plan_id}).encode()
        return Sealed(key.wrapped, key.seal(who, _context(row_id, "person")), b"")

    def open_reference(self, row_id: str, sealed: Sealed) -> str:
        """The source's own id of the plan; raises :class:`PlanUnreadable`."""
        return str(json.loads(self._open(row_id, sealed, "person"))["plan_id"])

    def rewrap(self, wrapped_key: bytes) -> bytes:
        """The key of a record, wrapped by the first master key; raises :class:`PlanUnreadable`."""
        try:
            return self._keyring.rewrap(wrapped_key)
        except SealError as error:
            raise PlanUnreadable("a stored plan does not open with this key ring") from error

    def open_person(self, row_id: str, sealed: Sealed) -> Person:
        """Whom the plan is about; raises :class:`PlanUnreadable`."""
        values = json.loads(self._open(row_id, sealed, "person"))
        born = values["birth_date"]
        return Person(
            given_name=values["given_name"],
            family_name=values["family_name"],
            birth_date=born and date.fromisoformat(born),
            nhs_number=values["nhs_number"],
            phones=tuple(values["phones"]),
            kept_phones=tuple(values.get("kept_phones", ())),
        )

    def open_content(self, row_id: str, sealed: Sealed) -> Content:
        """What the plan says; raises :class:`PlanUnreadable`."""
        return Content(**json.loads(self._open(row_id, sealed, "content")))

    def _open(self, row_id: str, sealed: Sealed, column: str) -> bytes:
        octets = sealed.person if column == "person" else sealed.content
        try:
            key: DataKey = self._keyring.unwrap(sealed.wrapped_key)
            return key.open(octets, _context(row_id, column))
        except SealError as error:
            raise PlanUnreadable("a stored plan does not open with this key ring") from error


def _context(row_id: str, column: str) -> bytes:
    return f"{row_id}/{column}".encode()


def _valid_number(person: Person) -> str | None:
    number = person.nhs_number
    return number if number and is_nhs_number(number) else None


def same_names(one: Person, other: Person) -> bool:
    """Whether their names, as sources may spell them, and their dates of birth are the same."""
    return _names(one) == _names(other)


def _names(person: Person) -> str:
    if person.birth_date is None:  # a pointer: all of them lack a name, and are no less different people for it
        return json.dumps(["nhs number", person.nhs_number])
    return json.dumps([plain(person.given_name), plain(person.family_name), person.birth_date.isoformat()])


def _surname(family_name: str, born: date) -> str | None:
    name = plain(family_name)
    return json.dumps([name, born.isoformat()]) if name else None


_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
"""Latin letters that Unicode does not take apart, as people without them on a keyboard write them."""


def plain(name: str) -> str:
    """Letters and digits only, without case or accents, of any script: sources spell one name in several ways.

    Vowel signs of scripts that write them as marks (Devanagari, Thai) are part of the name and stay; accents, and the
    points of Hebrew and Arabic, are not always written and go: Unicode tells them apart by combining class.
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    if decomposed.isascii():
        if decomposed.isalnum():
            return decomposed
        return "".join(filter(str.isalnum, decomposed))
    return "".join(filter(_is_written, decomposed)).translate(_LETTERS)


def _is_written(character: str) -> bool:
    return character.isalnum() or (
        unicodedata.category(character)[0] == "M" and unicodedata.combining(character) not in _OPTIONAL
    )


_OPTIONAL = frozenset({*range(10, 37), *range(200, 241)})
"""Combining classes: points of Hebrew, Arabic and Syriac; accents above, below and beside."""
