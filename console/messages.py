"""The pages of front-end messages: what callers hear now, write, hear, approve, schedule, stop, and who did what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.approvals import Refused, StoreAway, is_other, names_of
from callrouter.messages import life
from callrouter.messages.content import seconds_of
from callrouter.messages.errors import ContentRefused, NoSuchMessage
from callrouter.messages.model import Message, Phase, prompt_key
from callrouter.messages.service import MessageService, Sheet
from console.errors import NoSuchPage
from console.message_form import OFFERS, Form, content_of, form_of
from console.moments import EXAMPLE, read_moment
from console.session import Session
from console.web import Web
from infra.clock import Clock
from infra.office import is_office_hours

GROUPS = {
    "live": "Live now",
    "scheduled": "Scheduled",
    "waiting": "Being written or approved",
    "templates": "For the night",
    "history": "Over",
}
LANGUAGES = {"en": "English", "pl": "Polish", "cy": "Welsh", "bn": "Bengali", "so": "Somali", "ur": "Urdu"}
HOURS = (1, 2, 4, 6, 8, 10, 12)


def add_messages(router: APIRouter, web: Web, service: MessageService, clock: Clock) -> None:
    """``/messages`` and what is below it."""
    pages = _Pages(web, service, clock)
    _add_list(router, web, pages, service)
    _add_forms(router, web, pages, service)
    _add_sheet(router, web, pages)


def _add_list(router: APIRouter, web: Web, pages: _Pages, service: MessageService) -> None:

    @router.get("/messages", name="messages")
    async def messages(request: Request) -> Response:
        session = web.require(request, *life.READERS)
        groups = pages.grouped(await service.newest(session.who))
        role = session.who.role
        may = {"write": role in life.AUTHORS, "stop": role in life.STOPPERS}
        return web.page(request, "messages.html", groups=groups, titles=GROUPS, may=may)

    @router.get("/messages/sound/{key}.wav", name="message_sound")
    async def sound(request: Request, key: str) -> Response:
        session = web.require(request, *life.READERS)
        found = await service.sound(key, session.who)
        if found is None:
            raise NoSuchPage
        return Response(found.wav, media_type="audio/wav")


def _add_forms(router: APIRouter, web: Web, pages: _Pages, service: MessageService) -> None:
    @router.get("/messages/new", name="new_message")
    async def ask_new(request: Request, night: bool = False) -> Response:
        web.require(request, *life.AUTHORS)
        return pages.form(request, Form({}, is_template=night))

    @router.post("/messages/new")
    async def new(request: Request, night: bool = False) -> Response:
        session = web.require(request, *life.AUTHORS)
        form = Form(await web.lists(request, session), is_template=night)
        return await pages.write(request, form, "", lambda content: service.draft(content, session.who))

    @router.get("/messages/{message_id}/edit", name="edit_message")
    async def ask_edit(request: Request, message_id: str) -> Response:
        session = web.require(request, *life.AUTHORS)
        sheet = await pages.read(message_id, session)
        return pages.form(request, form_of(sheet.message.content, sheet.message.digest), message_id)

    @router.post("/messages/{message_id}/edit")
    async def edit(request: Request, message_id: str) -> Response:
        session = web.require(request, *life.AUTHORS)
        sheet = await pages.read(message_id, session)
        form = Form(await web.lists(request, session), sheet.message.content.is_template)
        shown = form.one("shown") or None
        return await pages.write(request, form, message_id, lambda c: service.edit(message_id, c, session.who, shown))


def _add_sheet(router: APIRouter, web: Web, pages: _Pages) -> None:
    @router.get("/messages/{message_id}", name="message")
    async def message(request: Request, message_id: str) -> Response:
        session = web.require(request, *life.READERS)
        return pages.sheet(request, session, await pages.read(message_id, session))

    @router.post("/messages/{message_id}/{step}", name="message_step")
    async def do(request: Request, message_id: str, step: str) -> Response:
        session = web.require(request, *life.READERS)
        fields = Form(await web.lists(request, session), is_template=False)
        try:
            done = await pages.step(step, message_id, session, fields)
        except NoSuchMessage as error:
            raise NoSuchPage from error
        except StoreAway:
            raise  # no page of what it was about can be shown, nor is it known that nothing was changed
        except Refused as refused:
            return pages.sheet(request, session, await pages.read(message_id, session), refused)
        return RedirectResponse(f"/messages/{done.id}", status_code=303)


class _Pages:
    """What the addresses above share."""

    def __init__(self, web: Web, service: MessageService, clock: Clock) -> None:
        self._web = web
        self._service = service
        self._clock = clock

    async def read(self, message_id: str, session: Session) -> Sheet:
        try:
            return await self._service.sheet(message_id, session.who)
        except NoSuchMessage as error:
            raise NoSuchPage from error

    async def step(self, step: str, message_id: str, session: Session, fields: Form) -> Message:
        """Do what a button says. Raises ``Refused``, and NoSuchPage for a button that there is not."""
        service, who = self._service, session.who
        match step:
            case "approve":
                return await service.approve(message_id, fields.one("digest"), who)
            case "release":
                return await service.release(message_id, who)
            case "shorten":
                until = read_moment(fields.one("until"))
                if until is None:
                    raise ContentRefused({"until": f"Enter a day and a time of London, for example {EXAMPLE}"})
                return await service.shorten(message_id, until, who)
            case "stop":
                return await service.stop(message_id, who)
            case "start":
                hours = fields.one("hours")
                until = self._clock.now() + timedelta(hours=int(hours) if hours in map(str, HOURS) else 0)
                return await service.start(message_id, fields.many("areas"), until, who)
            case "review":
                return await service.review(message_id, who)
            case _:
                raise NoSuchPage

    def grouped(self, messages: list[Message]) -> dict[str, list[dict[str, Any]]]:
        """Rows of the list, by group."""
        groups: dict[str, list[dict[str, Any]]] = {name: [] for name in GROUPS}
        now = self._clock.now()
        for each in messages:
            groups[_group(each, now)].append(self._row(each, now))
        groups["live"].sort(key=lambda row: row["content"].priority)
        return groups

    def sheet(self, request: Request, session: Session, sheet: Sheet, refused: Refused | None = None) -> Response:
        """The page of one message; ``refused``: why what was asked for was not done."""
        now, message, role = self._clock.now(), sheet.message, session.who.role
        phase = message.phase(now)
        open_ = phase in (Phase.DRAFT, Phase.APPROVED)
        others = is_other(session.who, message.authors)
        approvable = open_ and role in life.APPROVERS and (is_office_hours(now) or not message.content.is_template)
        review = message.review if message.review and message.review.is_open and phase is Phase.LIVE else None
        may = {
            "edit": open_ and role in life.AUTHORS,
            "approve": approvable and others,
            "release": phase is Phase.APPROVED and role in life.AUTHORS and not message.content.is_template,
            "start": phase is Phase.APPROVED and role in life.AUTHORS and message.content.is_template,
            "review": review is not None and life.may_review(message, session.who),
            "stop": phase in (Phase.DRAFT, Phase.APPROVED, Phase.SCHEDULED, Phase.LIVE) and role in life.STOPPERS,
            "shorten": phase in (Phase.SCHEDULED, Phase.LIVE) and role in life.STOPPERS,
        }
        values = {
            **self._row(message, now),
            "may": may,
            "sheet": sheet,
            "spoken": self._spoken(sheet),
            "approvals": message.standing_approvals(now),
            "needs": message.needs(now) if open_ else "",
            "others": "" if others else names_of(life.APPROVERS),
            "review": review,
            "allowed": self._allowed(message),
            "everywhere": life.EVERYWHERE if message.content.places.everywhere else "",
            "hours": [each for each in HOURS if message.content.longest_life
                      and timedelta(hours=each) <= message.content.longest_life],
            "at_night": not is_office_hours(now),
            "example": EXAMPLE,
            "refused": refused,
            "offers": OFFERS,
        }  # fmt: skip
        return self._web.page(request, "message.html", refused.status if refused else 200, **values)

    def form(
        self, request: Request, form: Form, message_id: str = "", problems: dict[str, str] | None = None
    ) -> Response:
        """The form, with what is wrong in it."""
        known = self._service.known
        values = {
            "form": form,
            "message_id": message_id,
            "problems": problems or {},
            "boards": [each for each in known.areas if each.kind != "borough"],
            "boroughs": sorted((each for each in known.areas if each.kind == "borough"), key=lambda each: each.name),
            "services": sorted(known.services),
            "languages": {each: LANGUAGES.get(each, each) for each in sorted(known.languages, key=_english_first)},
            "offers": OFFERS,
            "hours": HOURS,
            "example": EXAMPLE,
        }
        return self._web.page(request, "message_form.html", 422 if problems else 200, **values)

    async def write(
        self, request: Request, form: Form, message_id: str, keep: Callable[[Any], Awaitable[Message]]
    ) -> Response:
        """Keep what was typed, or show the form again with what is wrong in it."""
        try:
            content = content_of(form, self._service.known.languages, self._clock.now())
            written = await keep(content)
        except ContentRefused as refused:
            return self.form(request, form, message_id, refused.problems)
        except Refused as refused:
            return self.form(request, form, message_id, {"title": str(refused)})
        return RedirectResponse(f"/messages/{written.id}", status_code=303)

    def _row(self, message: Message, now: datetime) -> dict[str, Any]:
        return {
            "id": message.id,
            "message": message,
            "content": message.content,
            "phase": message.phase(now),
            "ends_at": message.ends_at(),
            "where": self._where(message),
            "waits_for_review": bool(message.review and message.review.is_open and message.is_live(now)),
        }

    def _where(self, message: Message) -> str:
        places, areas = message.content.places, self._service.known.areas
        if places.everywhere:
            return "All callers"
        named = [areas[each].name if each in areas else each for each in places.areas]
        named += [f"numbers from {each}" for each in places.cli_prefixes]
        named += [f"who dialled {each}" for each in places.dialled]
        return ", ".join(named)

    def _allowed(self, message: Message) -> list[Any]:
        """The areas that whoever starts this template may choose."""
        places, areas = message.content.places, self._service.known.areas
        return [each for each in areas if places.everywhere or areas.around(each.id) & set(places.areas)]

    def _spoken(self, sheet: Sheet) -> list[dict[str, Any]]:
        """What is said, by language: each part with its sound, if there is one."""
        found = []
        for language, wording in sheet.message.content.wordings.items():
            names = (("Who should stay", wording.who_should_stay), ("Message", wording.text),
                     ("If it gets worse", wording.safety_net))  # fmt: skip
            parts = [
                {"name": name, "text": text, "key": key if (key := prompt_key(language, text)) in sheet.sound else ""}
                for name, text in names
                if text
            ]
            sounds = [sheet.sound[part["key"]][1] for part in parts if part["key"]]
            seconds = sum(sounds) if len(sounds) == len(parts) else seconds_of(wording)
            found.append({"language": LANGUAGES.get(language, language), "parts": parts, "seconds": round(seconds)})
        return found


def _group(message: Message, now: datetime) -> str:
    phase = message.phase(now)
    if phase in (Phase.LIVE, Phase.SCHEDULED):
        return phase.value
    if phase in (Phase.DRAFT, Phase.APPROVED):
        return "templates" if message.content.is_template else "waiting"
    return "history"


def _english_first(language: str) -> tuple[bool, str]:
    return language != "en", language
