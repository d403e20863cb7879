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

    def identity(self, plan: Plan) -> str:
        """The hash under which this plan, in whatever version, is stored."""
        return self._keyring.index("plan-identity", json.dumps([plan.source, plan.plan_id]))

    def number_hash(self, e164: str) -> str:
        """The hash under which a telephone number is looked up."""
        return self._keyring.index("plan-number", e164)

    def viewer_key(self, user: str) -> str:
        """The hash that stands for a user in the record of views."""
        return self._keyring.index("plan-viewer", user)

    def person_keys(self, person: Person) -> PersonKeys:
        """The hashes by which two plans of one person are recognised without opening them.

        An NHS number with a wrong check digit gives none: it is kept, and never matched on (docs/domain.md).
        """
        number = person.nhs_number
        names = [_plain(person.given_name), _plain(person.family_name), person.birth_date.isoformat()]
        return PersonKeys(
            self._keyring.index("plan-nhs-number", number) if number and is_nhs_number(number) else None,
            self._keyring.index("plan-person", json.dumps(names)),
        )

    def seal(self, row_id: str, plan: Plan) -> Sealed:
        """The personal fields under a new key; they open for this row only, and each in its own column."""
        key = self._keyring.new_data_key()
        person = plan.person
        who = {
            "plan_id": plan.plan_id,
            "given_name": person.given_name,
            "family_name": person.family_name,
            "birth_date": person.birth_date.isoformat(),
            "nhs_number": person.nhs_number,
            "phones": person.phones,
        }
        what = {"handler_line": plan.handler_line, "detail": plan.detail}
        return Sealed(
            key.wrapped,
            key.seal(json.dumps(who).encode(), _context(row_id, "person")),
            key.seal(json.dumps(what).encode(), _context(row_id, "content")),
        )

    def open_person(self, row_id: str, sealed: Sealed) -> Person:
        """Whom the plan is about; raises :class:`PlanUnreadable`."""
        values = json.loads(self._open(row_id, sealed, "person"))
        return Person(
            given_name=values["given_name"],
            family_name=values["family_name"],
            birth_date=date.fromisoformat(values["birth_date"]),
            nhs_number=values["nhs_number"],
            phones=tuple(values["phones"]),
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


def _plain(name: str) -> str:
    """Letters only, without case or accents: sources spell one name in several ways."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in decomposed if c.isalnum())
