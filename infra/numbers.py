"""Telephone numbers: what was received, and whether it may be looked up.

libphonenumber decides what is a number; the rules for what may never be looked up are those of UK carriers:
withheld and anonymous calls, and the 08979 range that carriers insert where a number is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import phonenumbers

_REGION = "GB"
_WITHHELD = {"", "anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "+266696687"}
_LONGEST = 32  # characters; E.164 allows 15 digits, the rest is punctuation
_FILLER = "+448979"
# A British number with a digit missing is "possible", since some old ones have nine digits: those are known one range
# by one. Of ten digits none is asked whether its range is in use: new ones are given out, and nobody must be missed.
_BRITISH, _BRITISH_LENGTH = "+44", 13
_FICTIONAL_MOBILE = "+447700900"  # Ofcom's range for drama, which libphonenumber does not count as mobile


class NumberClass(StrEnum):
    """What kind of calling number arrived. Only ``PRESENT`` may be looked up."""

    PRESENT = "present"
    WITHHELD = "withheld"
    CARRIER_FILLER = "carrier_filler"
    UNREADABLE = "unreadable"
    DIVERTED = "diverted"


@dataclass(frozen=True, slots=True)
class Number:
    """A calling number. ``e164`` is set for ``PRESENT`` only."""

    kind: NumberClass
    e164: str | None = None

    @property
    def is_mobile(self) -> bool:
        """Whether a text could reach it."""
        if self.e164 is None:
            return False
        if self.e164.startswith(_FICTIONAL_MOBILE):
            return True
        kind: int = phonenumbers.number_type(phonenumbers.parse(self.e164))
        return kind == phonenumbers.PhoneNumberType.MOBILE


def calling_number(raw: str | None, *, withheld: bool = False, diverter: str = "") -> Number:
    """The number of a caller, as :func:`read_number`; ``DIVERTED`` where it is that of the line diverted to us.

    A surgery's line that is diverted at night must not make every caller the surgery; where the caller's own number
    came beside ``diverter``, it stands.
    """
    number = read_number(raw, withheld=withheld)
    if number.e164 is not None and number.e164 == read_number(diverter).e164:
        return Number(NumberClass.DIVERTED)
    return number


def read_number(raw: str | None, *, withheld: bool = False) -> Number:
    """Read a number as dialled, typed, or sent by a network; never raises.

    ``withheld`` is the network's own word (SIP ``Privacy: id``) and wins over whatever number is there.
    Accepts ``0…``, ``0044…``, ``+44 (0)…``. Anything with other characters than a number is written with is
    ``UNREADABLE``, so that nothing odd travels further; so is a British number that lacks a digit.
    """
    text = (raw or "").strip()
    if withheld or text.lower() in _WITHHELD:
        return Number(NumberClass.WITHHELD)
    if len(text) > _LONGEST or not all(c in "0123456789+-() .\u00a0" for c in text):
        return Number(NumberClass.UNREADABLE)
    try:
        parsed = phonenumbers.parse(text.replace("(0)", ""), _REGION)
    except phonenumbers.NumberParseException:
        return Number(NumberClass.UNREADABLE)
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if e164.startswith(_FILLER):
        return Number(NumberClass.CARRIER_FILLER)
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return Number(NumberClass.UNREADABLE)
    if e164.startswith(_BRITISH) and len(e164) < _BRITISH_LENGTH and not phonenumbers.is_valid_number(parsed):
        return Number(NumberClass.UNREADABLE)
    return Number(NumberClass.PRESENT, e164)
