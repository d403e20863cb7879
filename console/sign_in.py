"""Signing in and out: through one's organisation, or by the development sign-in: choose a name and a role.

The latter is absent in production, where it would let anybody in.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.handover import Role, SignedIn
from console.session import read_name
from console.sign_in_oidc import OpenId, add_openid
from console.web import Web, own_page


def add_sign_in(router: APIRouter, web: Web, openid: OpenId | None) -> None:
    """``POST /sign-out``, and ``/sign-in`` where there is a provider, or the sessions allow the development sign-in."""

    @router.post("/sign-out", name="sign_out")
    async def sign_out(request: Request) -> Response:
        session = web.require(request)
        await web.form(request, session)
        response = RedirectResponse("/" if openid is None else "/sign-out/provider", status_code=303)
        response.delete_cookie(**web.sessions.cookie())
        return response

    if openid is not None:
        add_openid(router, web, openid)
    elif web.sessions.development_sign_in:
        _add_development_sign_in(router, web)


def _add_development_sign_in(router: APIRouter, web: Web) -> None:
    @router.get("/sign-in", name="sign_in")
    async def ask(request: Request, next: str = "/") -> Response:
        return web.page(request, "sign_in.html", next=own_page(next))

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        fields = await web.form(request, None)
        name, role = read_name(fields.get("name", "")), fields.get("role", "")
        back_to = own_page(fields.get("next", "/"))
        if name is None or role not in set(Role):
            missing = {"name": name is None, "role": role not in set(Role)}
            return web.page(request, "sign_in.html", 422, next=back_to, fields=fields, missing=missing)
        response = RedirectResponse(back_to, status_code=303)
        who = SignedIn(name, Role(role), organisation=read_name(fields.get("organisation", "")) or "")
        signed = web.sessions.sign(who, within=web.session(request))
        response.set_cookie(value=signed, **web.sessions.cookie())
        return response
