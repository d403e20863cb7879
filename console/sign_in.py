"""The development sign-in: choose a name and a role. Absent in production, where it would let anybody in."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.handover import Role, SignedIn
from console.session import read_name
from console.web import Web

_OWN_PAGES = re.compile(r"/|/calls/[0-9a-f]{32}|/(?:messages|flows)(?:/[0-9a-z-]{1,48})?")


def add_sign_in(router: APIRouter, web: Web) -> None:
    """``POST /sign-out``, and ``/sign-in`` only where the sessions allow it."""

    @router.post("/sign-out", name="sign_out")
    async def sign_out(request: Request) -> Response:
        session = web.require(request)
        await web.form(request, session)
        response = RedirectResponse("/", status_code=303)
        response.delete_cookie(**web.sessions.cookie())
        return response

    if web.sessions.development_sign_in:
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
        signed = web.sessions.sign(SignedIn(name, Role(role)), within=web.session(request))
        response.set_cookie(value=signed, **web.sessions.cookie())
        return response


def own_page(path: str) -> str:
    """``path`` if it is one of our pages, else the wallboard: nobody is sent to another site."""
    return path if _OWN_PAGES.fullmatch(path) else "/"
