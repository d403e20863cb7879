"""Which role somebody may sign in with, by what their organisation says of them in a claim."""

from __future__ import annotations

from collections.abc import Mapping

from infra.roles import Role


def read_role_claims(text: str) -> dict[str, Role]:
    """``value=role, value=role``: each value of the claim means one role. Raises ValueError naming what is wrong."""
    found: dict[str, Role] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        value, equals, role = (part.strip() for part in each.rpartition("="))
        if not (value and equals):
            raise ValueError(f"{each}: expected value=role")
        if role not in set(Role):
            raise ValueError(f"{role}: no such role; there are {', '.join(Role)}")
        if value in found:
            raise ValueError(f"{value}: named twice")
        found[value] = Role(role)
    if not found:
        raise ValueError("names no role: nobody could sign in")
    return found


def roles_of(claim: object, by_value: Mapping[str, Role]) -> tuple[Role, ...]:
    """The roles that a claim (one text, or a list of texts) stands for, each once, in the order of the mapping."""
    values = {claim} if isinstance(claim, str) else set()
    if isinstance(claim, list):
        values = {each for each in claim if isinstance(each, str)}
    return tuple(dict.fromkeys(role for value, role in by_value.items() if value in values))
