"""Who sends a request of a JSON interface: somebody with a session of the console."""

from __future__ import annotations

from fastapi import Request

from callrouter.api import Asker, NotSignedIn
from callrouter.handover import SignedIn
from console.session import Sessions

TOKEN_HEADER = "X-Form-Token"  # noqa: S105
_SAFE = ("GET", "HEAD")


def asker(sessions: Sessions) -> Asker:
    """Reads the session's cookie; what changes something bears the session's form token in :data:`TOKEN_HEADER`, too.

    Another site's page can send the cookie, but neither read the token nor set the header.
    """

    def ask(request: Request) -> SignedIn:
        session = sessions.read(request.cookies)
        if session is None:
            raise NotSignedIn("sign in first")
        if request.method not in _SAFE and not sessions.is_own_form(session, request.headers.get(TOKEN_HEADER, "")):
            raise NotSignedIn(f"send the form token of your session in {TOKEN_HEADER}")
        return session.who

    return ask
