"""Sign-in through one's organisation: to the provider and back, the role if there are several, and out again.

Who signs in has a new session each time, whatever cookie the browser had: a session that somebody else planted is
never theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.handover import Role, SignedIn
from console.errors import Refused, SignInRefused
from console.sign_in_notes import Attempt, Choice, Notes
from console.web import Web, own_page


class Found(Protocol):
    """Whom the provider knows; see :class:`console.sign_in_provider.Person`."""

    @property
    def user(self) -> str: ...
    @property
    def roles(self) -> tuple[Role, ...]: ...
    @property
    def organisation(self) -> str: ...
    @property
    def name(self) -> str: ...


class ProviderPort(Protocol):
    """See :class:`console.sign_in_provider.Provider`."""

    async def way_in(self, attempt: Attempt) -> str: ...
    async def identify(self, answer: dict[str, str], attempt: Attempt | None) -> Found: ...
    async def way_out(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class OpenId:
    """The provider, and what browsers carry meanwhile."""

    provider: ProviderPort
    notes: Notes


def add_openid(router: APIRouter, web: Web, openid: OpenId) -> None:
    """``/sign-in``, its way back ``/sign-in/callback``, ``/sign-in/role``, and the pages after signing out."""
    _add_way_in(router, web, openid)
    _add_choice_of_role(router, web, openid.notes)
    _add_way_out(router, web, openid.provider)


def _add_way_in(router: APIRouter, web: Web, openid: OpenId) -> None:
    notes, provider = openid.notes, openid.provider

    @router.get("/sign-in", name="sign_in")
    async def sign_in(next: str = "/") -> Response:
        attempt = Attempt.new(own_page(next))
        response = RedirectResponse(await provider.way_in(attempt), status_code=303)
        notes.keep_attempt(response, attempt)
        return response

    @router.get("/sign-in/callback")
    async def come_back(request: Request) -> Response:
        attempt = notes.attempt(request.cookies)
        try:
            person = await provider.identify(dict(request.query_params), attempt)
        except Refused as refused:
            response = web.refusal(request, refused)
            notes.forget(response)
            return response
        back_to = attempt.back_to if attempt else "/"
        if len(person.roles) == 1:
            who = SignedIn(person.user, person.roles[0], organisation=person.organisation, name=person.name)
            return _signed(web, notes, who, back_to)
        response = RedirectResponse("/sign-in/role", status_code=303)
        notes.forget(response)
        notes.keep_choice(response, Choice(person.user, person.roles, back_to, person.organisation, person.name))
        return response


def _add_choice_of_role(router: APIRouter, web: Web, notes: Notes) -> None:
    def chosen(request: Request) -> Choice:
        choice = notes.choice(request.cookies)
        if choice is None:
            raise SignInRefused("no_attempt")
        return choice

    @router.get("/sign-in/role")
    async def ask_role(request: Request) -> Response:
        return web.page(request, "sign_in_role.html", roles=chosen(request).roles)

    @router.post("/sign-in/role")
    async def choose_role(request: Request) -> Response:
        choice = chosen(request)
        role = (await web.form(request, None)).get("role", "")
        if role not in choice.roles:
            return web.page(request, "sign_in_role.html", 422, roles=choice.roles, missing=True)
        who = SignedIn(choice.user, Role(role), organisation=choice.organisation, name=choice.name)
        return _signed(web, notes, who, choice.back_to)


def _add_way_out(router: APIRouter, web: Web, provider: ProviderPort) -> None:
    @router.get("/sign-out/provider")
    async def sign_out_there(request: Request) -> Response:
        url = await provider.way_out()
        response = web.page(request, "signed_out.html", way_out=url, here_only=url is None)
        if url is not None:
            # the content security policy lets no form lead to another site, not by redirects either
            response.headers["Refresh"] = f"0; url={url}"
        return response

    @router.get("/signed-out")
    async def signed_out(request: Request) -> Response:
        return web.page(request, "signed_out.html")


def _signed(web: Web, notes: Notes, who: SignedIn, back_to: str) -> Response:
    response = RedirectResponse(back_to, status_code=303)
    notes.forget(response)
    response.set_cookie(value=web.sessions.sign(who), **web.sessions.cookie())
    return response
