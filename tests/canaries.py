"""What no stand-in may ever be sent: every request that one receives is looked through, in whichever test it comes.

In addresses and headers nothing personal stands at all; in bodies of notices, texts to staff, ends of the audit
neither. A test fails after which :data:`FOUND` is not empty (``tests/conftest.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_plus

from infra.nhs_number import is_nhs_number

FOUND: list[str] = []
"""Who received what kind of thing where; no value."""

_CANARY = re.compile(r"zz(?:canary|given|family|name|person|handler|detail|line|title|unread)", re.IGNORECASE)
_BIRTH_DATE = re.compile(r"(?<!\d)19[345]\d-?(?:0\d|1[0-2])-?[0-3]\d(?!\d)")
_NHS_NUMBER = re.compile(r"(?<!\d)999[ -]?\d{3}[ -]?\d{4}(?!\d)")
_FICTIONAL = r"(?:7700[ -]?900[ -]?\d{3}|20[ -]?7946[ -]?0\d{3})(?!\d)"
_TELEPHONE = re.compile(r"(?:\+44|0044|(?<!\d)0)(?: ?\(0\))?[ -]?" + _FICTIONAL)


def personal_in(text: str) -> list[str]:
    """Which kinds of personal things stand in it, as it is or escaped for an address."""
    both = f"{text}\n{unquote_plus(text)}"
    numbers = (re.sub("[ -]", "", each) for each in _NHS_NUMBER.findall(both))
    found = {
        "a canary": bool(_CANARY.search(both)),
        "a date of birth": bool(_BIRTH_DATE.search(both)),
        "an NHS number": any(map(is_nhs_number, numbers)),
        "a telephone number": bool(_TELEPHONE.search(both)),
    }
    return [kind for kind, there in found.items() if there]


def look_through(who: str, url: str, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: str = "") -> None:
    """Note what stands in a request to ``who`` that must not; ``body``: where nothing personal may stand in it."""
    lines = headers.items() if isinstance(headers, Mapping) else headers
    places = {"address": url, "headers": "\n".join(f"{name}: {value}" for name, value in lines), "body": body}
    FOUND.extend(f"{who}: {kind} in the {place}" for place, text in places.items() for kind in personal_in(text))
