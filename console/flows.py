"""The pages of flows: every version, what the check says, what it changes, and what one may do with it."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from callrouter.approvals import Author, Refused, StoreAway, is_other, names_of
from callrouter.handover import Role, SignedIn
from callrouter.publishing import model
from callrouter.publishing.content import Content
from callrouter.publishing.errors import NothingBefore, OutOfRange, UnknownVersion
from callrouter.publishing.hearing import Hearing
from callrouter.publishing.model import State, Version
from callrouter.publishing.service import Publishing
from callrouter.publishing.snapshot import STRAIGHT_TO_111
from console.errors import NoSuchPage
from console.flow_changes import Change, changes
from console.flow_draft import add_drafts
from console.flow_replay import Replaying, add_replays
from console.flow_verdict import Verdict, proved
from console.message_form import Form
from console.moments import EXAMPLE, read_moment
from console.session import Session
from console.web import Web
from ivr.proof.diff import DIMENSIONS, Outcome, Row, differences
from ivr.proof.lengths import estimate_lengths

SHARES = (1, 5, 10, 25, 50)
"""Per cent of calls that a staged release may begin with."""

NEEDS = {
    "approval_missing": "Somebody who did not write it has to approve it.",
    "clinical_safety_missing": "Somebody from clinical safety has to approve it.",
    "approval_expired": "It was approved too long ago: it needs approval again.",
    "content_changed": "It was changed after it was approved: it needs approval again.",
}
MOST_KEPT = 50
K = TypeVar("K")
V = TypeVar("V")
_AGAIN = (State.RETIRED, State.ROLLED_BACK)


def add_flows(
    router: APIRouter, web: Web, publishing: Publishing, hearing: Hearing, replaying: Replaying | None = None
) -> None:
    """``/flows`` and what is below it; no replays where nothing is recorded."""
    pages = _Pages(web, publishing, hearing, may_replay=replaying is not None)
    add_drafts(router, web, publishing)
    if replaying is not None:
        add_replays(router, web, publishing, replaying)

    @router.get("/flows", name="flows")
    async def flows(request: Request) -> Response:
        session = web.require(request, *model.READERS)
        versions = await publishing.versions(session.who)
        may_write = session.who.role in model.WRITERS
        none = publishing.live_version == STRAIGHT_TO_111.version
        return web.page(request, "flows.html", versions=versions, needs=NEEDS, may_write=may_write, none_is_live=none)

    @router.get("/flows/{version}", name="flow")
    async def flow(request: Request, version: str) -> Response:
        session = web.require(request, *model.READERS)
        return await pages.one(request, session, version)

    @router.get("/flows/{version}/callers", name="flow_callers")
    async def callers(request: Request, version: str) -> Response:
        session = web.require(request, *model.READERS)
        return await pages.callers(request, session, version)

    @router.get("/flows/{version}/sound/{key:path}.wav", name="flow_sound")
    async def sound(request: Request, version: str, key: str) -> Response:
        session = web.require(request, *model.READERS)
        try:
            wav = await hearing.wav(await publishing.content(version, session.who), key)
        except UnknownVersion as error:
            raise NoSuchPage from error
        if wav is None:
            raise NoSuchPage
        return Response(wav, media_type="audio/wav")

    @router.post("/flows/{version}/{step}", name="flow_step")
    async def do(request: Request, version: str, step: str) -> Response:
        session = web.require(request, *model.READERS)
        fields = Form(await web.lists(request, session), is_template=False)
        try:
            await pages.step(step, version, session.who, fields)
        except UnknownVersion as error:
            raise NoSuchPage from error
        except StoreAway:
            raise  # no page of what it was about can be shown, nor is it known that nothing was changed
        except Refused as refused:
            return await pages.one(request, session, version, refused)
        return RedirectResponse(f"/flows/{version}", status_code=303)


class _Pages:
    """What the addresses above share."""

    def __init__(self, web: Web, publishing: Publishing, hearing: Hearing, *, may_replay: bool) -> None:
        self._web = web
        self._publishing = publishing
        self._hearing = hearing
        self._may_replay = may_replay
        # versions never change, and a proof or a comparison costs seconds: each is worked out once
        self._verdicts: dict[str, Verdict] = {}
        self._compared: dict[tuple[str, str], list[Row]] = {}

    async def step(self, step: str, version: str, who: SignedIn, fields: Form) -> None:
        """Do what a button says. Raises ``Refused``, and NoSuchPage for a button that there is not."""
        service, note = self._publishing, fields.one("note")[:200]
        match step:
            case "check":
                await service.check(version, who)
            case "approve":
                await service.approve(version, fields.one("shown"), who)
            case "publish":
                await service.publish(version, who)
            case "schedule":
                at = read_moment(fields.one("at"))
                if at is None:
                    raise OutOfRange(f"enter a day and a time of London, for example {EXAMPLE}")
                await service.schedule(version, at, who)
            case "stage":
                share = fields.one("share")
                await service.stage(version, int(share) / 100 if share in map(str, SHARES) else 0.0, who)
            case "stop":
                await service.stop(version, who, note)
            case "roll-back":
                await self._roll_back(version, who, note)
            case "recall":
                await service.recall(version, who, note)
            case _:
                raise NoSuchPage

    async def _roll_back(self, version: str, who: SignedIn, note: str) -> None:
        # of two people who press it, the second must not take back the version that the first went back to
        if (await self._publishing.version(version, who)).row.state is not State.LIVE:
            raise NothingBefore("this version is not live any more: look at the list")
        await self._publishing.roll_back(who, note)

    async def one(self, request: Request, session: Session, version: str, refused: Refused | None = None) -> Response:
        """The page of one version; ``refused``: why what was asked for was not done."""
        who = session.who
        found = await self._found(version, who)
        content = await self._publishing.content(version, who)
        live = await self._live(found, who)
        changed = changes(live, content)
        steps = await self._publishing.history(who, version)
        others = is_other(who, [found.row.author, *(Author(each.by) for each in steps if each.step == "drafted")])
        values: dict[str, Any] = {
            "version": found,
            "row": found.row,
            "verdict": await self._verdict(found, content),
            "is_live": found.row.state is State.LIVE,
            "staged": await self._publishing.staged(who) if found.row.state is State.STAGED else None,
            "changes": changed,
            "audible": self._audible(content, changed),
            "live_version": live.version if live else "",
            "audible_live": self._audible(live, changed),
            "comparable": live is not None and not found.row.problems,
            "steps": list(reversed(steps)),
            "may": _may(found, who.role, others=others),
            "others": "" if others else names_of(model.APPROVERS),
            "may_write": who.role in model.WRITERS,
            "may_replay": self._may_replay and not found.row.problems,
            "needs": NEEDS.get(found.needs, ""),
            "shares": SHARES,
            "example": EXAMPLE,
            "refused": refused,
        }
        return self._web.page(request, "flow.html", refused.status if refused else 200, **values)

    def _audible(self, content: Content | None, changed: list[Change]) -> frozenset[str]:
        """The prompts that differ and can be heard in ``content``."""
        keys = {each.key for each in changed if each.key}
        return frozenset(key for key in keys if content is not None and self._hearing.can(content, key))

    async def callers(self, request: Request, session: Session, version: str) -> Response:
        """Where callers would go who now go elsewhere, or sooner or later, against the live version."""
        who = session.who
        found = await self._found(version, who)
        live = await self._live(found, who)
        if live is None or found.row.problems:
            raise NoSuchPage
        kept = (live.version, version)
        if kept not in self._compared:
            new = await self._publishing.content(version, who)
            rows = await asyncio.to_thread(_differences, live, new)  # calls go on beside it
            _keep(self._compared, kept, rows)
        rows = self._compared[kept]
        elsewhere = [row for row in rows if _place(row.before) != _place(row.after)]
        return self._web.page(
            request, "flow_callers.html", row=found.row, rows=rows, elsewhere=elsewhere, dimensions=DIMENSIONS
        )

    async def _found(self, version: str, who: SignedIn) -> Version:
        try:
            return await self._publishing.version(version, who)
        except UnknownVersion as error:
            raise NoSuchPage from error

    async def _live(self, found: Version, who: SignedIn) -> Content | None:
        """The live version's content; None for the live version itself, and where there is none."""
        live = self._publishing.live_version
        if live == found.row.version:
            return None
        try:
            return await self._publishing.content(live, who)
        except UnknownVersion:  # callers go straight to 111
            return None

    async def _verdict(self, found: Version, content: Content) -> Verdict:
        if found.row.problems:
            return Verdict(problems=found.row.problems)
        if found.row.state is State.DRAFT:
            return Verdict(problems=("It has not been checked yet.",))
        if content.version not in self._verdicts:
            _keep(self._verdicts, content.version, await asyncio.to_thread(proved, content))
        return self._verdicts[content.version]


def _differences(live: Content, new: Content) -> list[Row]:
    lengths = (estimate_lengths(each.texts.values()) for each in (live, new))
    return differences(live.flow, new.flow, *lengths)


def _place(outcome: Outcome) -> tuple[tuple[str, ...], str]:
    return outcome.services, outcome.band


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    """The newest few; a page that is asked for again later is worked out again."""
    while len(kept) >= MOST_KEPT:
        del kept[next(iter(kept))]
    kept[key] = value


def _may(found: Version, role: Role, *, others: bool) -> dict[str, bool]:
    """Which buttons stand on the page (``others``: who looks did not write it); the service judges again."""
    state, stopper = found.row.state, role in model.STOPPERS
    ready = not found.needs and role in model.RELEASERS
    return {
        "check": state in (State.DRAFT, State.CHECKED, State.APPROVED) and role in model.WRITERS,
        "approve": state in (State.CHECKED, State.APPROVED, *_AGAIN) and role in model.APPROVERS and others,
        "publish": ready and state in (State.APPROVED, State.STAGED, *_AGAIN),
        "schedule": ready and state is State.APPROVED,
        "stage": ready and state is State.APPROVED,
        "stop": stopper and state in (State.DRAFT, State.CHECKED, State.APPROVED, State.SCHEDULED, State.STAGED),
        "roll_back": stopper and state is State.LIVE,
        "recall": stopper and state in model.MET and state is not State.RECALLED,
    }
