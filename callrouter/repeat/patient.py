"""Whom a contact was about: what a person says of themselves, and the keyed hashes that are kept and compared.

Nothing of a patient is stored in clear: each of the values is hashed on its own, under a name of its own, so that two
contacts can be compared field by field and nobody can read who they were about.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from infra.crypto import KeyRing
from infra.nhs_number import is_nhs_number

FIVE = ("first_name", "last_name", "birth_date", "gender", "postcode")
"""What is compared, besides a verified NHS number (docs/safety/rules.md, 4)."""


@dataclass(frozen=True, slots=True, repr=False)
class Patient:
    """What is known of a patient; empty or None where it is not. Never printed: it has no ``repr`` of its values.

    ``nhs_verified``: a case system says that the number was traced. ``gender``: ``male``, ``female`` or empty.
    """

    first_name: str = ""
    last_name: str = ""
    birth_date: date | None = None
    gender: str = ""
    postcode: str = ""
    nhs_number: str = ""
    nhs_verified: bool = False


NOBODY = Patient()


@dataclass(frozen=True, slots=True)
class Traits:
    """Keyed hashes of a patient and of the numbers that the contact came from; None for what is not known.

    ``nhs`` is that of a verified number with a right check digit, no other.
    """

    first_name: str | None = None
    last_name: str | None = None
    birth_date: str | None = None
    gender: str | None = None
    postcode: str | None = None
    nhs: str | None = None
    numbers: frozenset[str] = field(default=frozenset())

    @property
    def known(self) -> int:
        """How many of :data:`FIVE` are known."""
        return sum(getattr(self, name) is not None for name in FIVE)

    @property
    def may_be_found(self) -> bool:
        """Whether an earlier contact could be told to be this patient's at all."""
        return self.nhs is not None or self.known >= FEWEST_IN_COMMON or bool(self.numbers)


FEWEST_IN_COMMON = 3

_PAIRS = (("birth_date", "gender"), ("first_name", "last_name"), ("first_name", "postcode"), ("last_name", "postcode"))
"""Whoever has three of the five in common has one of these pairs in common, so that four look-ups find them all."""


def traits_of(keys: KeyRing, patient: Patient = NOBODY, numbers: tuple[str, ...] = (), *, key: int = 0) -> Traits:
    """The hashes of a patient, and of numbers in E.164, under the index key in use or the ``key``-th older one."""

    def hashed(name: str, value: str) -> str:
        return keys.index_all(f"encounter-{name}", value)[key]

    values = {
        "first_name": letters(patient.first_name.split()[0]) if patient.first_name.split() else "",
        "last_name": letters(patient.last_name),
        "birth_date": patient.birth_date.isoformat() if patient.birth_date else "",
        "gender": patient.gender if patient.gender in ("male", "female") else "",
        "postcode": "".join(each for each in patient.postcode.upper() if each.isalnum()),
    }
    hashes = {name: hashed(name, value) if value else None for name, value in values.items()}
    verified = patient.nhs_verified and is_nhs_number(patient.nhs_number)
    return Traits(
        **hashes,
        nhs=hashed("nhs-number", patient.nhs_number) if verified else None,
        numbers=frozenset(hashed("number", number) for number in numbers),
    )


def lookup_keys(keys: KeyRing, traits: Traits, *, key: int = 0) -> Iterator[tuple[str, str]]:
    """(kind, key) of every key under which this contact is found, ``key`` as for :func:`traits_of`."""
    for number in traits.numbers:
        yield "number", number
    if traits.nhs is not None:
        yield "nhs", traits.nhs
    for one, other in _PAIRS:
        first, second = getattr(traits, one), getattr(traits, other)
        if first is not None and second is not None:
            yield "pair", keys.index_all(f"encounter-pair-{one}-{other}", f"{first}\0{second}")[key]


def letters(name: str) -> str:
    """The letters of a name in any script, without accents, hyphens and spaces: ``O'Brien`` → ``obrien``."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(each for each in decomposed if each.isalpha())
