"""What a browser carries while its user is away at the sign-in provider: signed, short-lived, of one use.

Nothing of it is kept here, so that another worker may end what one began. Only the browser that began an attempt
can end it: another one has no such cookie, and a link to our way back, planted by somebody else, leads nowhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from fastapi import Response
from itsdangerous import BadData, URLSafeSerializer

from callrouter.handover import Role
from console.session import Sessions
from infra.clock import Clock

LIFE = timedelta(minutes=10)
"""Long enough for a password and a second factor; then the attempt is begun again."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way. ``state`` ties the answer to this browser, ``nonce`` the token to this attempt.

    ``verifier`` shows that who redeems the code is who asked for it (RFC 7636). ``back_to`` is a page of ours.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    back_to: str

    @classmethod
    def new(cls, back_to: str) -> Attempt:
        """A fresh one; each secret has at least 256 random bits."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), back_to)


@dataclass(frozen=True, slots=True)
class Choice:
    """Somebody whom the provider knows in several roles, before they say as what they work now."""

    user: str = field(repr=False)
    roles: tuple[Role, ...]
    back_to: str
    organisation: str = ""
    name: str = field(default="", repr=False)


class Notes:
    """Writes and reads both as cookies, signed with ``secret`` (the same on every worker)."""

    def __init__(self, secret: str, sessions: Sessions, clock: Clock) -> None:
        self._clock = clock
        self._sessions = sessions
        self._attempts = URLSafeSerializer(secret, salt="callrouter.console.sign-in.attempt")
        self._choices = URLSafeSerializer(secret, salt="callrouter.console.sign-in.choice")

    def keep_attempt(self, response: Response, attempt: Attempt) -> None:
        """Have the browser carry it."""
        self._keep(response, "attempt", self._attempts, asdict(attempt))

    def attempt(self, cookies: Mapping[str, str]) -> Attempt | None:
        """What the browser carries; None if it carries none, it was changed, or it is too old."""
        facts = self._read(cookies, "attempt", self._attempts)
        return Attempt(**facts) if facts else None

    def keep_choice(self, response: Response, choice: Choice) -> None:
        """Have the browser carry it."""
        self._keep(response, "choice", self._choices, asdict(choice))

    def choice(self, cookies: Mapping[str, str]) -> Choice | None:
        """As :meth:`attempt`."""
        facts = self._read(cookies, "choice", self._choices)
        if not facts:
            return None
        roles = tuple(Role(each) for each in facts["roles"])
        return Choice(facts["user"], roles, facts["back_to"], facts["organisation"], facts["name"])

    def forget(self, response: Response) -> None:
        """Have the browser drop whatever it carries."""
        for kind in ("attempt", "choice"):
            response.delete_cookie(**self._cookie(kind))

    def _keep(self, response: Response, kind: str, signer: URLSafeSerializer, facts: Mapping[str, Any]) -> None:
        expires = int((self._clock.now() + LIFE).timestamp())
        response.set_cookie(value=str(signer.dumps({**facts, "exp": expires})), **self._cookie(kind))

    def _read(self, cookies: Mapping[str, str], kind: str, signer: URLSafeSerializer) -> dict[str, Any] | None:
        try:
            facts: dict[str, Any] = signer.loads(cookies.get(self._cookie(kind)["key"], ""))
        except BadData:
            return None
        return facts if facts.pop("exp") > self._clock.now().timestamp() else None

    def _cookie(self, kind: str) -> dict[str, Any]:
        # SameSite=lax of the session's cookie is right here, too: the way back from the provider is a plain link
        cookie = self._sessions.cookie()
        return {**cookie, "key": f"{cookie['key']}-{kind}"}
