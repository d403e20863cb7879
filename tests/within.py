"""Whether a document says all that an older one says: the newer may say more."""

from __future__ import annotations

from typing import Any


def says_all_of(newer: Any, older: Any) -> bool:
    """Every entry of ``older`` with the same value, every item of a list in its place."""
    if isinstance(older, dict):
        return isinstance(newer, dict) and all(
            name in newer and says_all_of(newer[name], older[name]) for name in older
        )
    if isinstance(older, list):
        return len(newer) == len(older) and all(map(says_all_of, newer, older))
    return bool(newer == older)
