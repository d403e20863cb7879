"""An independent telephone for tests: performs TwiML strictly, and refuses what Twilio would refuse.

It shares no code with the service or with adapters/phone. The last tests here test it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

PUBLIC_URL = "https://calls.example"
TOKEN = "a-test-auth-token"

_CALLBACK = {"statusCallback", "statusCallbackEvent", "statusCallbackMethod"}
VERBS: dict[str, tuple[set[str], set[str]]] = {
    "Response": (set(), {"Say", "Play", "Pause", "Gather", "Redirect", "Dial", "Hangup"}),
    "Say": ({"voice", "language", "loop"}, {"prosody"}),
    "prosody": ({"rate", "pitch", "volume"}, set()),
    "Play": ({"loop", "digits"}, set()),
    "Pause": ({"length"}, set()),
    "Gather": (
        {"input", "numDigits", "timeout", "speechTimeout", "language", "hints", "actionOnEmptyResult", "action",
         "method", "finishOnKey", "profanityFilter", "bargeIn", "speechModel"},
        {"Say", "Play", "Pause"},
    ),
    "Redirect": ({"method"}, set()),
    "Dial": (
        {"timeout", "action", "method", "answerOnBridge", "callerId", "record", "recordingStatusCallback",
         "timeLimit", "ringTone"},
        {"Number", "Sip"},
    ),
    "Number": (_CALLBACK | {"sendDigits", "url", "method"}, set()),
    "Sip": (_CALLBACK | {"username", "password", "url", "method"}, set()),
    "Hangup": (set(), set()),
}  # fmt: skip
"""Verb (and SSML that Say may hold) → attributes and children (TwiML voice reference, 2025)."""

_WHOLE = {"numDigits", "timeout", "length", "timeLimit"}
_EITHER = {"actionOnEmptyResult", "answerOnBridge", "profanityFilter", "bargeIn"}
_ADDRESS = {"action", "statusCallback", "recordingStatusCallback"}


class RefusedDocument(AssertionError):
    """Twilio would not perform this."""


def check(text: str) -> ET.Element:
    """The document's root, if every part of it is TwiML."""
    root = ET.fromstring(text)
    if root.tag != "Response":
        raise RefusedDocument(f"root {root.tag}")
    _check(root)
    return root


def _check(verb: ET.Element) -> None:
    attributes, children = VERBS[verb.tag]
    for name, value in verb.attrib.items():
        if name not in attributes:
            raise RefusedDocument(f"{verb.tag} has no attribute {name}")
        if name in _WHOLE and not (value.isdecimal() and int(value) > 0):
            raise RefusedDocument(f"{verb.tag} {name}={value}")
        if name in _EITHER and value not in ("true", "false"):
            raise RefusedDocument(f"{verb.tag} {name}={value}")
        if name in _ADDRESS and not value.startswith(PUBLIC_URL + "/"):
            raise RefusedDocument(f"{verb.tag} {name}={value}")
    if verb.tag in ("Say", "Play", "Redirect", "Number", "Sip") and not "".join(verb.itertext()).strip():
        raise RefusedDocument(f"empty {verb.tag}")
    if verb.tag == "Sip" and len(verb.text or "") > 255:
        raise RefusedDocument("SIP address over 255 characters")
    if verb.tag == "Dial" and len(verb) != 1:
        raise RefusedDocument("a Dial dials one number here")
    for child in verb:
        if child.tag not in children:
            raise RefusedDocument(f"{child.tag} in {verb.tag}")
        _check(child)


@dataclass
class Answer:
    """What the service answered to one webhook."""

    status: int
    body: bytes


@dataclass
class TwilioCall:
    """One call, moved by the test step by step. ``sent`` are all webhooks, so that one can be sent again."""

    client: httpx.AsyncClient
    from_: str = "+447700900123"
    to: str = "+442079460000"
    sid: str = field(default_factory=lambda: f"CA{secrets.token_hex(16)}")
    root: ET.Element = field(default_factory=lambda: ET.Element("Response"))
    text: str = ""
    sent: list[tuple[str, list[tuple[str, str]], dict[str, str]]] = field(default_factory=list)

    # ---------------------------------------------------------------- sending

    async def post(
        self, url: str, fields: list[tuple[str, str]], *, token: str | None = None, sign_with: str | None = TOKEN
    ) -> Answer:
        """Post as Twilio does, to whatever host the service really has behind its proxy."""
        url, _, overrides = url.partition("#")  # Twilio keeps them to itself: neither sent nor signed
        assert overrides in ("", "ct=1000&rt=2500&rc=2&rp=all")
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        if sign_with is not None:
            signer = RequestValidator(sign_with)
            headers["X-Twilio-Signature"] = signer.compute_signature(url, ImmutableMultiDict(fields))
        if token is not None:
            headers["I-Twilio-Idempotency-Token"] = token
        self.sent.append((url, fields, headers))
        return await self.again(-1)

    async def again(self, which: int, *, without_token: bool = False) -> Answer:
        """Send a webhook once more, byte for byte."""
        url, fields, headers = self.sent[which]
        if without_token:
            headers = {name: value for name, value in headers.items() if not name.startswith("I-")}
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = await self.client.post(path, content=urlencode(fields), headers=headers)
        return Answer(answer.status_code, answer.content)

    def fields(self, **more: str) -> list[tuple[str, str]]:
        """The fields of every voice webhook, and more."""
        return [
            ("AccountSid", "AC" + "0" * 32),
            ("CallSid", self.sid),
            ("From", self.from_),
            ("To", self.to),
            *more.items(),
        ]

    async def ask(self, url: str, *, token: str | None = "new", **more: str) -> None:
        """Post, and take the answer as the document to perform."""
        token = secrets.token_hex(16) if token == "new" else token
        answer = await self.post(url, self.fields(**{"CallStatus": "in-progress", **more}), token=token)
        assert answer.status == 200
        self.text = answer.body.decode("utf-8")
        self.root = check(self.text)

    # ---------------------------------------------------------------- performing

    async def start(self, *, token: str | None = "new") -> None:
        """Ring the service."""
        await self.ask(f"{PUBLIC_URL}/twilio/voice", token=token, CallStatus="ringing")

    @property
    def step(self) -> ET.Element:
        """The verb at which the document leaves the caller: the first that is not speech or a pause."""
        return next(verb for verb in self.root if verb.tag not in ("Say", "Play", "Pause"))

    @property
    def heard(self) -> str:
        """All that is said before or within that verb."""
        before = list(self.root)[: list(self.root).index(self.step)]
        return " ".join("".join(verb.itertext()) for verb in [*before, *self.step] if verb.tag == "Say")

    @property
    def dialled(self) -> str:
        """Whom the document dials; empty if it does not."""
        return (self.step[0].text or "") if self.step.tag == "Dial" else ""

    async def _gathered(self, **said: str) -> None:
        assert self.step.tag == "Gather"
        if not any(said.values()):
            assert self.step.get("actionOnEmptyResult") == "true"
        await self.ask(self.step.attrib["action"], **said)

    async def press(self, key: str) -> None:
        """Press a key in a gather that takes keys."""
        assert "dtmf" in self.step.attrib["input"].split()
        await self._gathered(Digits=key)

    async def say(self, words: str) -> None:
        """Speak in a gather that takes speech."""
        assert "speech" in self.step.attrib["input"].split()
        await self._gathered(SpeechResult=words, Confidence="0.8")

    async def stay_silent(self) -> None:
        """Neither."""
        await self._gathered(Digits="")

    async def go_on(self) -> None:
        """Listen to the end and follow the redirect."""
        assert self.step.tag == "Redirect"
        await self.ask((self.step.text or "").strip())

    async def leg(self, status: str, **more: str) -> int:
        """A status callback of the dialled leg, which has a CallSid of its own."""
        noun = self.step[0]
        fields = [("CallSid", f"CA{secrets.token_hex(16)}"), ("ParentCallSid", self.sid)]
        fields += [("To", noun.text or ""), ("CallStatus", status), *more.items()]
        return (await self.post(noun.attrib["statusCallback"], fields, token=secrets.token_hex(16))).status

    async def dial_ends(self, status: str, seconds: int = 0, *, gone: bool = False, **more: str) -> None:
        """The dial's action: ``gone`` when it is the caller who left."""
        said = {"DialCallStatus": status, "DialBridged": "true" if seconds else "false"}
        if seconds:
            said["DialCallDuration"] = str(seconds)
        call_status = "completed" if gone else "in-progress"
        await self.ask(self.step.attrib["action"], CallStatus=call_status, **said, **more)

    async def status(self, status: str = "completed") -> int:
        """The call's status callback."""
        fields = self.fields(CallStatus=status)
        return (await self.post(f"{PUBLIC_URL}/twilio/status", fields, token=secrets.token_hex(16))).status


@pytest.mark.parametrize(
    "document",
    [
        "<Answer/>",
        "<Response><Answer/></Response>",
        "<Response><Dial><Say>x</Say></Dial></Response>",
        "<Response><Gather><Dial><Number>+44</Number></Dial></Gather></Response>",
        "<Response><Say colour='red'>x</Say></Response>",
        "<Response><Gather timeout='4.0'/></Response>",
        "<Response><Gather action='https://elsewhere.example/'/></Response>",
        "<Response><Say></Say></Response>",
    ],
)
def test_the_strict_telephone_refuses_what_twilio_refuses(document: str) -> None:
    with pytest.raises((RefusedDocument, KeyError)):
        check(document)
