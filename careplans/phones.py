"""The telephone numbers of a plan, in any spelling; one that cannot be read keeps the others in."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from infra.numbers import NumberClass, read_number

MOST_PHONES = 20
"""More numbers than any person has: a row with more is a column gone astray."""

_TEL = re.compile(r"^tel:\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Phones:
    """``e164``: each number that a caller can be found by, once. ``left_out``: why of the others, without a value."""

    e164: tuple[str, ...] = field(default=(), repr=False)
    left_out: tuple[str, ...] = ()


def read_phones(texts: list[str]) -> Phones:
    """The numbers that these mean; an empty text is none. Raises ValueError for more than :data:`MOST_PHONES`."""
    given = [text for text in texts if text]
    if len(given) > MOST_PHONES:
        raise ValueError(f"holds more than {MOST_PHONES} numbers")
    found, left_out = [], []
    for place, text in enumerate(given, start=1):
        number = read_number(_TEL.sub("", "".join(map(_plain, text))))
        if number.e164 is not None:
            found.append(number.e164)
        elif number.kind is NumberClass.UNREADABLE:
            left_out.append(f"number {place} is not a telephone number: it is left out")
        else:
            left_out.append(f"number {place} is one that may never be looked up: it is left out")
    return Phones(tuple(dict.fromkeys(found)), tuple(left_out))


def _plain(character: str) -> str:
    """As numbers are written here: digits of any script, any dash or space, no mark of direction."""
    match unicodedata.category(character):
        case "Nd":
            return str(unicodedata.decimal(character))
        case "Pd":
            return "-"
        case "Zs":
            return " "
        case "Cf":
            return ""
        case _:
            return character
