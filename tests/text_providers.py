"""Stand-ins for GOV.UK Notify and Twilio that speak their protocols as published, and refuse what they would refuse."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from adapters.notify.govuk import GovUkNotify, NotifySettings
from adapters.notify.twilio_account import TwilioAccount
from adapters.notify.twilio_texts import TwilioTexts
from callrouter.texts.model import Template
from infra.clock import Clock
from tests.canaries import look_through

SERVICE, SECRET = "26785a09-ab16-4eb0-8407-a37497a57506", "3d844edf-8d35-48ac-975b-e847b4f122b0"
API_KEY = f"a_key-{SERVICE}-{SECRET}"
BEARER = "a-bearer-token-of-the-tests-and-nothing-else"
SID, TOKEN = "AC" + "1" * 32, "a-token-of-the-tests-and-nothing-else"
OWN = "https://calls.example"
MOBILE = re.compile(r"\+447\d{9}")


class StandIn:
    """``fault``: None, a status to answer with, ``down`` (nobody there), ``lost`` (taken, and the answer is lost),
    or ``cut`` (not taken, and the connection breaks). ``sent``: number, words and reference of each that was taken."""

    def __init__(self) -> None:
        self.fault: int | str | None = None
        self.sent: list[tuple[str, str, str]] = []
        self.received: list[str] = []
        self.app = FastAPI()
        self.transport = _Faulty(self)

    @property
    def words(self) -> list[str]:
        """What was taken, as it is read."""
        return [words for _, words, _ in self.sent]

    def seen(self) -> str:
        """Everything that came in: addresses, headers and bodies."""
        return "\n".join(self.received)


class _Faulty(httpx.AsyncBaseTransport):
    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._inner = httpx.ASGITransport(app=stand_in.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        of = self._stand_in
        if of.fault == "down":
            raise httpx.ConnectError("nobody there")
        body = (await request.aread()).decode()
        look_through(type(of).__name__, str(request.url), request.headers)
        of.received.append(f"{request.method} {request.url} {dict(request.headers)} {body}")
        if of.fault == "cut" and request.method == "POST":
            raise httpx.ReadError("the connection broke")
        if isinstance(of.fault, int):
            error = {"error": "Exception", "message": f"about {body}"}
            return httpx.Response(of.fault, json={"status_code": of.fault, "errors": [error]}, request=request)
        answer = await self._inner.handle_async_request(request)
        if of.fault == "lost" and request.method == "POST":
            raise httpx.ReadTimeout("no answer")
        return answer


class Notify(StandIn):
    """GOV.UK Notify: templates by id, and a list by reference."""

    def __init__(self, clock: Clock, templates: Mapping[str, Template]) -> None:
        super().__init__()
        self.clock = clock
        self.bodies = {each.govuk_notify: each.words for each in templates.values() if each.govuk_notify}
        self.app.post("/v2/notifications/sms")(self._sms)
        self.app.get("/v2/notifications")(self._list)
        self.app.get("/v2/template/{template}")(self._template)

    def provider(self) -> GovUkNotify:
        """Our side of it."""
        return GovUkNotify(NotifySettings(api_key=API_KEY), self.clock, self.transport)

    def _forbidden(self, request: Request) -> Response | None:
        """A token must be a signed JWT of this service, at most 30 s old."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            found = jwt.decode(token, OctKey.import_key(SECRET), algorithms=["HS256"])
        except (JoseError, ValueError):
            return _error(403, "AuthError", "Invalid token: signature, api token not found")
        if scheme != "Bearer" or found.claims["iss"] != SERVICE or found.header["typ"] != "JWT":
            return _error(403, "AuthError", "Invalid token: service not found")
        if abs(found.claims["iat"] - self.clock.now().timestamp()) > 30:
            return _error(403, "AuthError", "Error: Your system clock must be accurate to within 30 seconds")
        return None

    async def _sms(self, request: Request) -> Response:
        if forbidden := self._forbidden(request):
            return forbidden
        body: dict[str, Any] = await request.json()
        if set(body) - {"phone_number", "template_id", "personalisation", "reference", "sms_sender_id"}:
            return _error(400, "ValidationError", "Additional properties are not allowed")
        words, values = self.bodies.get(body["template_id"]), body.get("personalisation", {})
        if words is None:
            return _error(400, "BadRequestError", "Template not found")
        if not MOBILE.fullmatch(body["phone_number"]):
            return _error(400, "ValidationError", f"phone_number {body['phone_number']}: Not a valid phone number")
        if missing := set(re.findall(r"\(\((\w+)\)\)", words)) - set(values):
            return _error(400, "BadRequestError", f"Missing personalisation: {', '.join(missing)}")
        filled = re.sub(r"\(\((\w+)\)\)", lambda found: str(values[found[1]]), words)
        look_through("Notify", body["reference"], {}, filled)
        self.sent.append((body["phone_number"], filled, body["reference"]))
        answer = {"id": str(uuid.uuid4()), "reference": body["reference"], "content": {"body": filled}}
        return JSONResponse(answer, 201)

    async def _list(self, request: Request, reference: str) -> Response:
        found = [{"reference": ref, "status": "delivered"} for _, _, ref in self.sent if ref == reference]
        return self._forbidden(request) or JSONResponse({"notifications": found, "links": {}})

    async def _template(self, request: Request, template: str) -> Response:
        if forbidden := self._forbidden(request):
            return forbidden
        if template not in self.bodies:
            return _error(404, "NoResultFound", "No result found")
        return JSONResponse({"id": template, "type": "sms", "body": self.bodies[template], "version": 1})


class Twilio(StandIn):
    """Twilio: the Messages resource."""

    def __init__(self) -> None:
        super().__init__()
        self.app.post("/2010-04-01/Accounts/{account}/Messages.json")(self._message)

    def provider(self) -> TwilioTexts:
        """Our side of it."""
        return TwilioTexts(TwilioAccount(account_sid=SID, auth_token=TOKEN, own=OWN), "+447700900999", self.transport)

    async def _message(self, request: Request, account: str) -> Response:
        expected = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}" or account != SID:
            return JSONResponse({"code": 20003, "message": "Authenticate", "status": 401}, 401)
        form = dict(parse_qsl((await request.body()).decode()))
        if (
            not MOBILE.fullmatch(form["To"])
            or not form["Body"]
            or not (form.get("From") or form["MessagingServiceSid"])
        ):
            message = f"Invalid 'To' Phone Number: {form['To']}"
            return JSONResponse({"code": 21211, "message": message, "status": 400}, 400)
        reference = form["StatusCallback"].removeprefix(f"{OWN}/texts/receipts/twilio/")
        look_through("Twilio", form["StatusCallback"], {}, form["Body"])
        self.sent.append((form["To"], form["Body"], reference))
        return JSONResponse({"sid": "SM" + uuid.uuid4().hex, "status": "queued", "to": form["To"]}, 201)


def notify_receipt(reference: str, status: str, number: str = "+447700900123") -> dict[str, Any]:
    """What Notify posts when it knows."""
    at = "2026-03-28T12:00:00.000000Z"
    return {"id": str(uuid.uuid4()), "reference": reference, "to": number, "status": status, "created_at": at,
            "completed_at": at, "sent_at": at, "notification_type": "sms", "template_id": str(uuid.uuid4()),
            "template_version": 1}  # fmt: skip


def twilio_receipt(reference: str, status: str, code: str = "") -> tuple[str, dict[str, str], dict[str, str]]:
    """Path, form and headers of Twilio's word on a message."""
    path = f"/texts/receipts/twilio/{reference}"
    form = {"MessageSid": "SM" + "2" * 32, "MessageStatus": status, "SmsStatus": status, "To": "+447700900123",
            "From": "+447700900999", "AccountSid": SID, **({"ErrorCode": code} if code else {})}  # fmt: skip
    return path, form, {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(f"{OWN}{path}", form)}


def _error(status: int, error: str, message: str) -> Response:
    return JSONResponse({"status_code": status, "errors": [{"error": error, "message": message}]}, status)
