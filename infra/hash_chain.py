"""A chain of hashes: each covers its own fields and the hash before: nothing in the middle can be changed alone.

SHA-256 (FIPS 180-4) without a key: anybody may check a chain. Who can write the table can make all of it anew; that is
seen only by whoever kept a hash and its place elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

START = "0" * 64
"""What stands before the first link."""


def link(before: str, fields: Sequence[str | int | bool | None]) -> str:
    """The hash (64 hex digits) of ``fields`` on top of the hash ``before``."""
    return hashlib.sha256(f"{before}\n{json.dumps(list(fields), ensure_ascii=True)}".encode()).hexdigest()
