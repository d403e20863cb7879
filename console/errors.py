"""Why a page is refused, as a tree. Each becomes a page that says what to do next.

::

    Refused
    ├── SignInNeeded   nobody is signed in, or the session is over
    ├── RoleNeeded     somebody is, in a role that may not see this page
    ├── SignInRefused  the provider sent nobody whom we may let in
    ├── ProviderAway   the provider does not answer, so that nobody new can sign in
    ├── FormRefused    the form did not come from this session's own page
    ├── NoSuchCall     no call has this context id
    ├── NoSuchPage     there is nothing under this address
    └── PageFailed     what the page shows cannot be read just now, or we made a mistake
"""

from __future__ import annotations

from typing import ClassVar


class Refused(Exception):
    """Base of all: ``status`` is HTTP's, ``error_id`` is stable."""

    error_id: ClassVar[str] = "refused"
    status: ClassVar[int] = 400


class SignInNeeded(Refused):
    """Send the person to the sign-in page; ``back_to`` is the path that they asked for."""

    error_id = "sign_in_needed"
    status = 401

    def __init__(self, back_to: str) -> None:
        super().__init__(back_to)
        self.back_to = back_to


class SignInRefused(Refused):
    """Nobody was signed in; ``reason`` is a stable word. Try again once, then ask the administrator."""

    error_id = "sign_in_refused"
    status = 403

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderAway(Refused):
    """Nobody can sign in for now. Who is signed in goes on: their session is ours."""

    error_id = "provider_away"
    status = 503


class RoleNeeded(Refused):
    """Say which roles may see the page."""

    error_id = "role_needed"
    status = 403

    def __init__(self, roles: tuple[str, ...]) -> None:
        super().__init__(", ".join(roles))
        self.roles = roles


class FormRefused(Refused):
    """Nothing was changed or looked up. Open the page again and send the form from there."""

    error_id = "form_refused"
    status = 403


class NoSuchCall(Refused):
    """Answer in the same words whether the id is malformed, unknown or forgotten."""

    error_id = "no_such_call"
    status = 404


class NoSuchPage(Refused):
    """There is nothing under this address."""

    error_id = "no_such_page"
    status = 404


class PageFailed(Refused):
    """Nobody can say whether a button that was pressed did anything: look again. The log says what broke."""

    error_id = "page_failed"
    status = 500
