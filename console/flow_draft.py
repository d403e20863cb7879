"""Writing a version of the flow on a page: the text of another one, changed, checked, and put in as a draft."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.approvals import Refused
from callrouter.publishing import model
from callrouter.publishing.drafts import FLOW, MOST_OCTETS, PROMPTS
from callrouter.publishing.errors import NotSound, UnknownVersion
from callrouter.publishing.service import Publishing
from callrouter.publishing.snapshot import STRAIGHT_TO_111
from callrouter.publishing.written import as_yaml
from console.errors import NoSuchPage
from console.flow_changes import Change, changes
from console.flow_verdict import Verdict, proved
from console.message_form import Form
from console.session import Session
from console.web import Web

LONGEST_NOTE = 200
_PLACE = re.compile(rf"(?P<file>{re.escape(FLOW)}|{re.escape(PROMPTS)}):(?P<line>\d+): (?P<what>.*)", re.DOTALL)
_FIELDS = {FLOW: "flow", PROMPTS: "prompts"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in what was typed: in which field, in which line (0: in none), and what stands there."""

    what: str
    field: str = "flow"
    line: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form. ``base``: the version that it was begun from."""

    flow: str
    prompts: str = ""
    note: str = ""
    base: str = ""


def add_drafts(router: APIRouter, web: Web, publishing: Publishing) -> None:
    """``/flows/new``; ``?base=VERSION`` begins with another version than the live one."""
    pages = _Pages(web, publishing)

    @router.get("/flows/new", name="new_flow")
    async def ask_new(request: Request, base: str = "") -> Response:
        session = web.require(request, *model.WRITERS)
        try:
            return pages.form(request, await pages.begun(base, session))
        except UnknownVersion as error:
            raise NoSuchPage from error

    @router.post("/flows/new")
    async def new(request: Request) -> Response:
        session = web.require(request, *model.WRITERS)
        fields = Form(await web.lists(request, session, longest=MOST_OCTETS + 1), is_template=False)
        flow, prompts = (fields.one(name).replace("\r\n", "\n") for name in ("flow", "prompts"))
        typed = Typed(flow, prompts, fields.one("note")[:LONGEST_NOTE], fields.one("base"))
        return await pages.take(request, session, typed, save=fields.one("do") == "save")


class _Pages:
    def __init__(self, web: Web, publishing: Publishing) -> None:
        self._web = web
        self._publishing = publishing

    async def begun(self, base: str, session: Session) -> Typed:
        """The text of ``base``; of the live version if it is empty, else of the last written. Raises UnknownVersion."""
        service, who = self._publishing, session.who
        base = base or service.live_version
        if base == STRAIGHT_TO_111.version and (written := await service.versions(who)):
            base = written[0].row.version  # none is live, which is when a better one is needed
        return Typed(as_yaml((await service.content(base, who)).flow), base=base)

    async def take(self, request: Request, session: Session, typed: Typed, *, save: bool) -> Response:
        """Check what was typed and show what is found; with ``save`` put it in, if it can be read at all."""
        service, who = self._publishing, session.who
        try:
            content = await service.read_draft(typed.flow, typed.prompts, who)
            if save:
                made = await service.draft(content, typed.note, who)
                return RedirectResponse(f"/flows/{made.row.version}", status_code=303)
            problems = await service.problems(content, who)
        except NotSound as refused:
            return self.form(request, typed, findings=tuple(_found(refused.problems, typed)))
        except Refused as refused:
            return self.form(request, typed, findings=(Finding(str(refused)),))
        verdict = Verdict(tuple(problems)) if problems else await asyncio.to_thread(proved, content)
        live = None
        if service.live_version not in (content.version, STRAIGHT_TO_111.version):
            live = await service.content(service.live_version, who)
        return self.form(request, typed, verdict=verdict, changes=changes(live, content) if live else [])

    def form(
        self,
        request: Request,
        typed: Typed,
        findings: tuple[Finding, ...] = (),
        verdict: Verdict | None = None,
        changes: list[Change] | None = None,
    ) -> Response:
        """The form, below it what the check found."""
        values: dict[str, Any] = {"typed": typed, "findings": findings, "verdict": verdict, "changes": changes or []}
        return self._web.page(request, "flow_new.html", 422 if findings else 200, **values)


def _found(problems: Iterable[str], typed: Typed) -> Iterable[Finding]:
    for each in problems:
        place = _PLACE.fullmatch(each)
        if place is None:
            yield Finding(each)
            continue
        field, line = _FIELDS[place["file"]], int(place["line"])
        lines = (typed.flow if field == "flow" else typed.prompts).splitlines()
        yield Finding(place["what"], field, line, lines[line - 1].strip() if line <= len(lines) else "")
