"""The form of a webhook: read with a bound, and what it says of caller and call."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from starlette.requests import Request

from adapters.twilio.signature import Form
from callrouter.model import Arrival
from infra.numbers import Number, calling_number

LARGEST_FORM = 64 * 1024  # octets; Twilio's largest (a minute of speech, all headers) stays under 8 KB
MOST_FIELDS = 200
LONGEST_SPEECH = 2000  # characters that are looked at; a minute of speech is about 900

OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""Values of ``CallStatus`` after which the call is gone (Twilio, Call resource, status values)."""

_NETWORK = "twilio"
_WITHHELD = {"266696687", "7378742833", "7378742883", "2562533", "8656696", "86282452253"}
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE on a keypad, as Twilio sends them for ``From``."""

_DIALLED = re.compile(r"\+?[0-9]{3,20}")
"""E.164 has 15 digits; 18001 of text relay may stand before them."""

_KEYS = re.compile(r"[0-9*#A-Da-d]{1,32}")
UNREADABLE_KEY = "?"


class FormTooLarge(Exception):
    """Nothing that Twilio sends is as large as this."""


async def read_form(request: Request) -> Form:
    """The form of a request; raises :class:`FormTooLarge`, ValueError for one that cannot be read."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise FormTooLarge
    fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    return Form(fields)


def arrival(form: Form) -> Arrival:
    """Who calls which number. What is no number is never passed on (docs/safety/rules.md, 6)."""
    return Arrival(_NETWORK, dialled(form), caller(form))


def caller(form: Form) -> Number:
    """The calling number, withheld and unreadable ones told apart; never raises."""
    raw = _user_of(form.get("From", ""))
    diverter = _user_of(form.get("ForwardedFrom", ""))
    return calling_number(raw, withheld=raw.lstrip("+") in _WITHHELD, diverter=diverter)


def dialled(form: Form) -> str:
    """The dialled number, or ``unknown`` if it is not written as one."""
    raw = _user_of(form.get("To", ""))
    return raw if _DIALLED.fullmatch(raw) else "unknown"


def is_over(form: Form) -> bool:
    """Whether the caller has gone, as far as Twilio knows."""
    return form.get("CallStatus", "") in OVER


def keys_pressed(form: Form) -> str:
    """Keys of a gather; :data:`UNREADABLE_KEY`, which no menu knows, for anything else than keys."""
    raw = form.get("Digits", "")
    return raw if not raw or _KEYS.fullmatch(raw) else UNREADABLE_KEY


def words_said(form: Form) -> str:
    """What the caller said, as Twilio understood it."""
    return form.get("SpeechResult", "").strip()[:LONGEST_SPEECH]


def seconds(form: Form, name: str) -> int:
    """A duration; 0 where it is missing or not a number."""
    raw = form.get(name, "")
    return int(raw) if re.fullmatch(r"[0-9]{1,6}", raw) else 0


def _user_of(address: str) -> str:
    """The user part of a SIP address, or a number as it is."""
    text = address.strip()
    if text.lower().startswith(("sip:", "sips:")):
        return text.partition(":")[2].partition("@")[0]
    return text
