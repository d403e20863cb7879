"""``POST /api/encounters``: the door of providers that send their reports of NHS 111 calls (ITK, CDA)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError

from callrouter.errors import ConfigurationError
from callrouter.repeat.contacts import RepeatCalls
from callrouter.repeat.own_calls import CameTo, nobody_knows
from infra.clock import Clock

MOST_OCTETS = 2 * 1024 * 1024
"""Of one message: some thirty long reports. It is read beside the calls of this process; long lists go by the CLI."""

_HASH = 64  # hex digits of SHA-256
_CODES = re.compile(r"[A-Z0-9]{3,10}(\+[A-Z0-9]{3,10})*")


def read_sender_keys(text: str) -> Mapping[str, frozenset[str]]:
    """SHA-256 of each key → the ODS codes that it reports for, from ``ODS+ODS:hash`` comma separated.

    Two hashes while a key is replaced. Raises :class:`ConfigurationError`, which repeats nothing of it.
    """
    senders: dict[str, frozenset[str]] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        codes, _, digest = each.partition(":")
        if not _CODES.fullmatch(codes) or len(digest) != _HASH or set(digest) - set("0123456789abcdef"):
            raise ConfigurationError("CALLROUTER_ENCOUNTER_KEYS: must be ODS:sha256 or ODS+ODS:sha256, comma separated")
        senders[digest] = frozenset(codes.split("+"))
    return senders


def encounters_router(
    repeats: RepeatCalls, clock: Clock, senders: Mapping[str, frozenset[str]], came_to: CameTo = nobody_knows
) -> APIRouter:
    """One address. A request bears ``Authorization: Bearer KEY``; its body is one message.

    A report of an organisation that is not the key's is skipped: nobody replaces another's reports.
    """
    router = APIRouter(include_in_schema=False)

    @router.post("/api/encounters")
    async def take(request: Request) -> Response:
        # the reader of XML is there for those who use it: a worker that only carries calls never loads it
        from callrouter.repeat.reports import EncounterReports
        from infra.itk import ItkError

        codes = _codes(request, senders)
        if codes is None:
            return _refused(401, "key_needed", "send the key of your organisation as a bearer token")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_OCTETS:
                return _refused(413, "too_large", f"a message has at most {MOST_OCTETS} octets")
        try:
            imported = await EncounterReports(repeats, clock, came_to).take(bytes(body), of=codes)
        except ItkError as error:
            return _refused(422, error.error_id, str(error))
        except (SQLAlchemyError, OSError):
            return _refused(503, "store_away", "nothing was kept: send it again in a moment")
        return JSONResponse(asdict(imported))

    return router


def _codes(request: Request, senders: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        return None
    sent = hashlib.sha256(key.strip().encode()).hexdigest()
    found = [codes for digest, codes in senders.items() if hmac.compare_digest(digest, sent)]
    return found[0] if found else None


def _refused(status: int, error_id: str, text: str) -> Response:
    body: dict[str, Any] = {"error_id": error_id, "text": text}
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store"})
