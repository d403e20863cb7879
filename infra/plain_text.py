"""Characters that have no place in a text which people approve by reading it."""

from __future__ import annotations

import re

HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufff9-\ufffb]"
)
"""Control characters, characters without width, and marks that reverse how a line reads. Those that Arabic and Indic
scripts are written with (U+200C to U+200F) are none of these."""
