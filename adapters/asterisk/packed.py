"""The facts of an INVITE, which the dialplan packs into one variable ([arrive] of extensions.conf)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

FACTS = "FACTS"
"""The variable: length and value of each of :data:`NAMES`, percent-encoded as a whole."""

NAMES = ("DIALLED", "SIP_CALL_ID", "FROM_TAG", "TRY", "PRIVACY", "DIVERTER", "CLI", "PAI")
"""What tells calls apart stands first: a variable that is too long for Asterisk loses its end."""

_HALF_AN_OCTET = re.compile(r"%.?\Z")
"""What is left of the last octet of a variable that was cut off. A per cent sign of the carrier's is ``%25``."""


def unpacked(packed: str) -> dict[str, str]:
    """The facts that are set, as the carrier wrote them. What was cut off is absent: half a number is none."""
    left = unquote_to_bytes(_HALF_AN_OCTET.sub("", packed))
    found: dict[str, str] = {}
    for name in NAMES:
        length, mark, left = left.partition(b":")
        if not mark or not length.isdigit() or len(left) < int(length):
            break
        value, left = left[: int(length)], left[int(length) :]
        if value:
            found[name] = value.decode("utf-8", "replace")
    return found
