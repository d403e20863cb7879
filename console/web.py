"""What all pages share: templates, who is asking, safe headers, and refusals as pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import ChainableUndefined, ChoiceLoader, Environment, FileSystemLoader, PackageLoader
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as StarletteHTTPException

from callrouter import approvals
from callrouter.handover import Role
from console import words
from console.errors import FormRefused, NoSuchPage, PageFailed, Refused, RoleNeeded, SignInNeeded
from console.session import Session, Sessions

log = structlog.get_logger()

HERE = Path(__file__).parent

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with it browsers send "Origin: null" for our own forms, which the check of the origin
    # then refuses. No other host learns anything either way.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_OWN_PAGE = re.compile(r"/(?:[0-9a-z][0-9a-z_-]{0,63}(?:/[0-9a-z][0-9a-z_-]{0,63}){0,3})?")
_NO_PAGES = ("/sign-", "/signed-")

_LONGEST_FIELD = 400  # characters; a form token is about 60, nothing that is typed comes near
_LONGEST_TEXT = 4000  # of a text that is read out; what is too long must be refused, not cut
_MOST_FIELDS = 120  # London has 33 boroughs, each a checkbox


def own_page(path: str) -> str:
    """``path`` if it can be one of our pages, else the wallboard: nobody is sent to another site, or round and round.

    Without a query, a dot, or a second slash at its start: what it names is on this host whatever browsers make of it.
    """
    return path if _OWN_PAGE.fullmatch(path) and not path.startswith(_NO_PAGES) else "/"


@cache
def environment() -> Environment:
    """Jinja with the design system's macros, compiled once for the process.

    Everything is escaped. ``ChainableUndefined`` is the macros' need.
    """
    own = FileSystemLoader(HERE / "templates")
    env = Environment(
        loader=ChoiceLoader([own, PackageLoader("nhsuk_frontend_jinja")]),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        capital=words.capital,
        clock_time=words.clock_time,
        day=words.day,
        duration=words.duration,
        moment=words.moment,
        number=words.number,
        sentence=words.sentence,
        thousands=words.count,
    )
    env.globals["role_names"] = words.ROLE_NAMES
    return env


class Web:
    """One for each router: renders pages and knows who asks for them.

    ``has_sign_in``: there is a ``/sign-in``; ``passes_on``: there is a page to pass a call's plans on from.
    """

    def __init__(self, sessions: Sessions, *, has_sign_in: bool = False, passes_on: bool = False) -> None:
        self.sessions = sessions
        self.passes_on = passes_on
        self._has_sign_in = has_sign_in or sessions.development_sign_in
        self._env = environment()

    def session(self, request: Request) -> Session | None:
        """Who is signed in, if anybody."""
        return self.sessions.read(request.cookies)

    def require(self, request: Request, *roles: Role) -> Session:
        """The session, in one of ``roles`` (in any, if none is given). Raises SignInNeeded, RoleNeeded."""
        session = self.session(request)
        if session is None:
            raise SignInNeeded(request.url.path)
        if roles and session.who.role not in roles:
            raise RoleNeeded(tuple(words.ROLE_NAMES[role] for role in roles))
        return session

    async def form(self, request: Request, session: Session | None) -> dict[str, str]:
        """The fields of a form that this session's own page sent. Raises FormRefused otherwise.

        ``session`` is None for the sign-in form only: nobody is signed in yet, so there is nothing to tie a
        token to, and the origin alone is checked.
        """
        found = await self._sent(request, session, most_fields=20)
        return {name: values[-1][:_LONGEST_FIELD] for name, values in found.items()}

    async def lists(self, request: Request, session: Session, longest: int = _LONGEST_TEXT) -> dict[str, list[str]]:
        """As :meth:`form`, for a form with texts and checkboxes: every value of each field, cut to ``longest``."""
        return await self._sent(request, session, _MOST_FIELDS, longest)

    async def _sent(
        self, request: Request, session: Session | None, most_fields: int, longest: int = _LONGEST_TEXT
    ) -> dict[str, list[str]]:
        if not self.sessions.is_own_origin(request.headers):
            raise FormRefused("origin")
        fields: dict[str, list[str]] = {}
        async with request.form(max_files=0, max_fields=most_fields) as sent:
            for name, value in sent.multi_items():
                if not isinstance(value, UploadFile):
                    fields.setdefault(name, []).append(value[:longest])
        token = fields.get("token", [""])[-1]
        if session is not None and not self.sessions.is_own_form(session, token):
            raise FormRefused("token")
        return fields

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """The template as a page for whoever asks."""
        session = self.session(request)
        values["who"] = session.who if session else None
        values["here"] = request.url.path
        values["passes_on"] = self.passes_on
        values["token"] = self.sessions.form_token(session) if session else ""
        return HTMLResponse(self._env.get_template(template).render(values), status_code=status)

    def fragment(self, template: str, **values: Any) -> str:
        """A piece of a page, the same for whoever looks at it."""
        return self._env.get_template(template).render(values)

    def refusal(self, request: Request, refused: Refused) -> Response:
        """The page that says why not, and what to do."""
        if isinstance(refused, SignInNeeded):
            if "text/event-stream" in request.headers.get("accept", ""):
                return PlainTextResponse("Sign in again.", status_code=refused.status)
            # a form must not be led on to a provider: browsers let no form lead to another site
            if self._has_sign_in and request.method == "GET":
                query = urlencode({"next": refused.back_to})
                return RedirectResponse(f"/sign-in?{query}", status_code=303)
        return self.page(request, "refused.html", refused.status, refused=refused, has_sign_in=self._has_sign_in)


def route_class(web: Web) -> type[APIRoute]:
    """Routes of this router turn what is refused into a page, and every response carries the safe headers."""

    class ConsoleRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    response = await inner(request)
                except Refused as refused:
                    response = web.refusal(request, refused)
                except approvals.Refused as refused:  # of a service, and no page of its own shows it
                    response = web.page(request, "refused.html", refused.status, refused=refused)
                except RequestValidationError:  # an address that no page of ours has, such as a day that is none
                    response = web.refusal(request, NoSuchPage())
                except StarletteHTTPException:
                    raise
                except Exception as error:  # noqa: BLE001 - its text may name a patient: it must not get to the server's log
                    log.error("page_failed", page=self.path, error=type(error).__name__)
                    response = web.refusal(request, PageFailed())
                response.headers.update(HEADERS)
                return response

            return handle

    return ConsoleRoute


def add_not_found(app: FastAPI, web: Web) -> None:
    """Who mistypes an address in a browser gets a page that says so; machines get what they got."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)  # what it is registered for
        if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
            return await http_exception_handler(request, error)
        response = web.refusal(request, NoSuchPage())
        response.headers.update(HEADERS)
        return response

    app.add_exception_handler(404, answer)
