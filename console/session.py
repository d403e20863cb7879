"""Who is signed in: a signed cookie, and the token that ties a form to it.

The cookie holds user, role, a random id and its expiry, signed and not encrypted: nothing in it is secret,
and nothing in it can be changed. Signing out forgets it in the browser; on the server its expiry ends it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeSerializer

from callrouter.errors import ConfigurationError
from callrouter.handover import Role, SignedIn
from infra.clock import Clock

SESSION_LIFE = timedelta(hours=12)  # one long shift; nobody stays signed in overnight
_SHORTEST_SECRET = 32  # characters; HMAC gains nothing from less than its own length
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Session:
    """A valid cookie: the person, and the random id that the forms' tokens hang on."""

    who: SignedIn
    sid: str
    expires: datetime


class Sessions:
    """Makes and reads session cookies and form tokens.

    ``secret`` signs them (the same on every worker). ``production`` sends the cookie over TLS only and
    refuses ``development_sign_in``, where anybody may choose any role: raises ``ConfigurationError``.
    """

    def __init__(
        self, secret: str, *, clock: Clock, production: bool = False, development_sign_in: bool = False
    ) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise ConfigurationError(f"the session secret needs at least {_SHORTEST_SECRET} characters")
        if production and development_sign_in:
            raise ConfigurationError("the development sign-in lets anybody in: not in production")
        self.development_sign_in = development_sign_in
        self.secure = production
        # The __Host- prefix makes browsers refuse the cookie unless it is Secure and set by this host alone.
        self.cookie_name = "__Host-callrouter" if production else "callrouter_session"
        self._clock = clock
        self._cookies = URLSafeSerializer(secret, salt="callrouter.console.session")
        self._forms = URLSafeSerializer(secret, salt="callrouter.console.form")

    def sign(self, who: SignedIn, within: Session | None = None) -> str:
        """The cookie's value for a session of this person.

        ``within``: the session that the browser has already. It keeps its id under another name, so that nobody
        approves their own work by signing in anew.
        """
        expires = self._clock.now() + SESSION_LIFE
        sid = within.sid if within else secrets.token_urlsafe(16)
        facts = {"user": who.user, "role": who.role.value, "sid": sid, "org": who.organisation,
                 "name": who.name}  # fmt: skip
        return str(self._cookies.dumps({**facts, "exp": int(expires.timestamp())}))

    def read(self, cookies: Mapping[str, str]) -> Session | None:
        """The session of these cookies; None if there is none, it was tampered with, or it is over."""
        try:
            facts: Any = self._cookies.loads(cookies.get(self.cookie_name, ""))
            expires = datetime.fromtimestamp(facts["exp"], tz=self._clock.now().tzinfo)
            who = SignedIn(facts["user"], Role(facts["role"]), facts["sid"], facts["org"], facts["name"])
            session = Session(who, facts["sid"], expires)
        except (BadData, KeyError, TypeError, ValueError):
            return None
        return session if self._clock.now() < session.expires else None

    def cookie(self) -> dict[str, Any]:
        """How the cookie is set and deleted, as keywords of Starlette's ``set_cookie``."""
        return {
            "key": self.cookie_name,
            "httponly": True,
            "samesite": "lax",
            "secure": self.secure,
            "path": "/",
        }

    def form_token(self, session: Session) -> str:
        """What a form of this session must carry. It is worth nothing in another session."""
        return str(self._forms.dumps(session.sid))

    def is_own_form(self, session: Session, token: str) -> bool:
        """Whether ``token`` was made for this session."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())

    def is_own_origin(self, headers: Mapping[str, str]) -> bool:
        """Whether a request that changes something was sent by one of our own pages.

        Every browser names the origin of a POST; a request without one, or with another host's, is refused.
        """
        origin = urlsplit(headers.get("origin", ""))
        if self.secure and origin.scheme != "https":
            return False
        return bool(origin.netloc) and origin.netloc == headers.get("host")


def read_name(typed: str) -> str | None:
    """The name that somebody signs in with; None if it is empty, too long or not printable."""
    name = " ".join(typed.split())
    return name if name.isprintable() and 0 < len(name) <= _LONGEST_NAME else None
