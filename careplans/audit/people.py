"""Whom the keyed hashes of the audit mean: sealed names in a table apart, opened for information governance only."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from careplans.audit.tables import audit_people
from infra.crypto import KeyRing, SealError
from infra.sql import insert_once

UNKNOWN = "not known"


class People:
    """Keyed hashes of people, and back."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring

    def actor(self, user: str) -> str:
        """The hash that stands for a user."""
        return self._keyring.index("plan-viewer", user)

    def actors(self, user: str) -> tuple[str, ...]:
        """The hashes under every live index key, the one that is written first."""
        return self._keyring.index_all("plan-viewer", user)

    def session(self, session: str) -> str:
        """The hash that stands for a sign-in."""
        return self._keyring.index("plan-session", session)

    def keep(self, connection: Connection, user: str, name: str) -> None:
        """See to it that the hash of ``user`` can be read later, by information governance, as ``name``."""
        actor = self.actor(user)
        if connection.execute(select(audit_people.c.actor).where(audit_people.c.actor == actor)).first() is None:
            key = self._keyring.new_data_key()
            row = {"actor": actor, "wrapped_key": key.wrapped, "name": key.seal(name.encode(), actor.encode())}
            connection.execute(insert_once(audit_people, connection.dialect.name), [row])

    def names(self, connection: Connection, actors: Iterable[str]) -> dict[str, str]:
        """The names behind these hashes; :data:`UNKNOWN` for one that is not kept or does not open."""
        rows = connection.execute(select(audit_people).where(audit_people.c.actor.in_(set(actors))))
        return {row.actor: self._name(row.actor, row.wrapped_key, row.name) for row in rows}

    def _name(self, actor: str, wrapped: bytes, sealed: bytes) -> str:
        try:
            return self._keyring.unwrap(wrapped).open(sealed, actor.encode()).decode()
        except SealError:
            return UNKNOWN
