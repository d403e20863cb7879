"""Whether a document says all that an older one says: the newer may say more. And a value as such a document."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, to_builtins


def says_all_of(newer: Any, older: Any) -> bool:
    """Every entry of ``older`` with the same value, every item of a list in its place."""
    if isinstance(older, dict):
        return isinstance(newer, dict) and all(
            name in newer and says_all_of(newer[name], older[name]) for name in older
        )
    if isinstance(older, list):
        return len(newer) == len(older) and all(map(says_all_of, newer, older))
    return bool(newer == older)


def in_full(value: Any) -> Any:
    """What its JSON says when nothing is left out that is as it is by default."""
    if isinstance(value, Struct):
        fields = {name: in_full(getattr(value, name)) for name in value.__struct_fields__}
        tag = value.__struct_config__
        return {tag.tag_field: tag.tag, **fields} if tag.tag_field else fields
    if isinstance(value, dict):
        return {name: in_full(each) for name, each in value.items()}
    return [in_full(each) for each in value] if isinstance(value, tuple) else to_builtins(value)
