"""A stand-in for Twilio's Calls resource: it asks our addresses as Twilio does, and signs what it asks."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from urllib.parse import parse_qsl

import httpx
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from tests.canaries import look_through
from tests.text_providers import MOBILE, OWN, SID, TOKEN, StandIn


@dataclass(frozen=True)
class Document:
    """What Twilio is to perform: the words inside a gather, those after it, and where keys go."""

    gathered: tuple[str, ...]
    said: tuple[str, ...]
    action: str

    @classmethod
    def read(cls, text: str) -> Document:
        """From TwiML."""
        root = ET.fromstring(text)
        gather = root.find("Gather")
        inside = () if gather is None else tuple(str(each.text) for each in gather.findall("Say"))
        action = "" if gather is None else gather.attrib["action"]
        return cls(inside, tuple(str(each.text) for each in root.findall("Say")), action)


class TwilioCalls(StandIn):
    """``created``: the form of each call that was taken. Our side is reached through ``ours``."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[dict[str, str]] = []
        self.ours: httpx.AsyncClient | None = None
        self.app.post("/2010-04-01/Accounts/{account}/Calls.json")(self._create)

    async def answered(self, call: int = -1) -> Document:
        """Somebody answered that call: Twilio asks what to do."""
        return Document.read((await self.ask(self.created[call]["Url"])).text)

    async def pressed(self, document: Document, key: str) -> Document:
        """A key in a gather: Twilio asks what to do next."""
        return Document.read((await self.ask(document.action, Digits=key)).text)

    async def over(self, status: str, call: int = -1) -> int:
        """The call is over, with this ``CallStatus``; our answer's status."""
        return (await self.ask(self.created[call]["StatusCallback"], CallStatus=status)).status_code

    async def ask(self, url: str, *, token: str = TOKEN, **form: str) -> httpx.Response:
        """A signed request to one of our addresses, wherever we really are."""
        assert self.ours is not None
        signature = RequestValidator(token).compute_signature(url, form)
        return await self.ours.post(url.removeprefix(OWN), data=form, headers={"X-Twilio-Signature": signature})

    async def _create(self, request: Request, account: str) -> Response:
        expected = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}" or account != SID:
            return JSONResponse({"code": 20003, "message": "Authenticate", "status": 401}, 401)
        form = dict(parse_qsl((await request.body()).decode()))
        if not MOBILE.fullmatch(form["To"]) or not form["From"] or not form["Url"].startswith(OWN):
            return JSONResponse({"code": 21211, "message": f"Invalid 'To': {form['To']}", "status": 400}, 400)
        look_through("Twilio", f"{form['Url']} {form.get('StatusCallback', '')}", {})
        self.created.append(form)
        return JSONResponse({"sid": "CA" + "3" * 32, "status": "queued", "to": form["To"]}, 201)
