"""The webhooks' addresses. Nothing unsigned gets further than here; nothing of ours reaches Twilio as an error.

``POST /twilio/voice``                              a new call
``POST /twilio/voice/{call_ref}/{wait_id}/{what}``  gather, message, finished, hold, dial: the call goes on
``POST /twilio/voice/{call_ref}/{wait_id}/leg``     how the provider's leg gets on
``POST /twilio/status``                             the call is over
``POST /twilio/recording``                          a recording exists
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter, Request, Response

from adapters.twilio.fallback import fallback_document
from adapters.twilio.forms import FormTooLarge, read_form
from adapters.twilio.settings import TwilioSettings
from adapters.twilio.signature import HEADER, Form, Signatures
from adapters.twilio.webhooks import Step, Webhooks, WithoutCall
from callrouter.calls import Calls
from callrouter.dispatch.providers import Providers
from callrouter.errors import UnknownCall
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.turns import Turns

ANSWER_S = 2.0  # Twilio tries elsewhere after 2.5 s (settings.OVERRIDES); the caller hears silence meanwhile
TOKEN_HEADER = "I-Twilio-Idempotency-Token"  # noqa: S105
MOST_ROUNDS = 10_000

log = structlog.get_logger()


def twilio_router(
    calls: Calls,
    settings: TwilioSettings,
    *,
    keys: KeyRing,
    providers: Providers,
    prompts: Mapping[str, str],
    clock: Clock,
    turns: Turns,
) -> APIRouter:
    """Twilio's webhooks before the door ``calls``, to which other work gives way. ``prompts``: texts by key."""
    webhooks = Webhooks(calls, settings, keys=keys, providers=providers, prompts=prompts, clock=clock)
    gate = _Gate(calls, settings, turns)

    async def voice(request: Request) -> Response:
        return await gate.document(request, None, lambda form: webhooks.started(form, _token(request)))

    async def voice_goes_on(request: Request) -> Response:
        step = _step(request, str(request.path_params["what"]))
        return await gate.document(request, step.call_ref, lambda form: _go_on(webhooks, step, form, request))

    async def leg(request: Request) -> Response:
        step = _step(request, "leg")
        return await gate.notice(request, lambda form: webhooks.leg(step, form))

    async def status(request: Request) -> Response:
        return await gate.notice(request, webhooks.status)

    async def recording(request: Request) -> Response:
        return await gate.notice(request, webhooks.recorded)

    # plain routes: nothing here is declared to FastAPI, and its look at every request costs a tenth of the answer
    router = APIRouter()
    for path, endpoint in (
        ("/twilio/voice", voice),
        ("/twilio/voice/{call_ref}/{wait_id}/leg", leg),
        ("/twilio/voice/{call_ref}/{wait_id}/{what}", voice_goes_on),
        ("/twilio/status", status),
        ("/twilio/recording", recording),
    ):
        router.add_route(path, endpoint, methods=["POST"], include_in_schema=False)
    return router


def _step(request: Request, what: str) -> Step:
    where = request.path_params
    return Step(str(where["call_ref"]), str(where["wait_id"]), what, _token(request))


async def _go_on(webhooks: Webhooks, step: Step, form: Form, request: Request) -> str:
    match step.what:
        case "gather":
            return await webhooks.gathered(step, form)
        case "message":
            return await webhooks.heard(step, form)
        case "finished":
            return await webhooks.played(step, form)
        case "hold":
            return await webhooks.held(step, form, _round(request))
        case "dial":
            return await webhooks.dialled(step, form)
        case _:
            raise UnknownCall


class _Gate:
    """Signature before, promise after: whatever happens inside, the caller gets a document.

    Only what is signed is a caller's, to whom other work gives way: a request whose form never comes is not.
    """

    def __init__(self, calls: Calls, settings: TwilioSettings, turns: Turns) -> None:
        self._turns = turns
        self._calls = calls
        self._signatures = Signatures(settings.base, settings.auth_tokens)
        self._fallback = fallback_document(settings.fallback, language=settings.language)

    async def document(self, request: Request, call_ref: str | None, use: Callable[[Form], Awaitable[str]]) -> Response:
        """Answer with TwiML: that of ``use``, or the static document that dials the default 111 service."""
        form = await self._signed_form(request)
        if isinstance(form, Response):
            return form
        with self._turns.caller():
            text = await self._text(form, call_ref, use, request.url.path)
        return Response(text, media_type="text/xml")

    async def _text(self, form: Form, call_ref: str | None, use: Callable[[Form], Awaitable[str]], path: str) -> str:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await use(form)
        except UnknownCall:
            log.warning("twilio_call_unknown")
        except WithoutCall:
            log.error("webhook_without_call", path=path)
        except Exception as error:  # noqa: BLE001
            # a caller is on the line: whatever broke here, they go to the default service
            log.error("twilio_webhook_failed", call_ref=call_ref, error=type(error).__name__)
            await self._note_handed_back(call_ref)
        return self._fallback

    async def notice(self, request: Request, use: Callable[[Form], Awaitable[None]]) -> Response:
        """Take a callback that no caller waits on: 204, or 503 so that Twilio may tell it again."""
        form = await self._signed_form(request)
        if isinstance(form, Response):
            return form
        try:
            with self._turns.caller():
                async with asyncio.timeout(ANSWER_S):
                    await use(form)
        except UnknownCall:
            log.info("twilio_callback_of_unknown_call")  # forgotten, or the fallback document took it
        except WithoutCall:
            log.error("webhook_without_call", path=request.url.path)
            return Response(status_code=503)
        except Exception as error:  # noqa: BLE001
            # nobody hears this answer; the call's other webhooks still tell how it went on
            log.error("twilio_callback_failed", error=type(error).__name__)
            return Response(status_code=503)
        return Response(status_code=204)

    async def _signed_form(self, request: Request) -> Form | Response:
        try:
            form = await read_form(request)
        except FormTooLarge:
            return Response(status_code=413)
        except ValueError:
            return Response(status_code=400)
        path, query = request.scope["raw_path"], request.scope["query_string"]
        signature = request.headers.get(HEADER, "")
        if not self._signatures.are_valid(path, query, form, signature):
            log.warning("twilio_signature_refused")
            return Response(status_code=403)
        return form

    async def _note_handed_back(self, call_ref: str | None) -> None:
        if call_ref is None:
            return
        try:
            async with asyncio.timeout(1.0):
                await self._calls.give_up(call_ref, "adapter_failed")
        except Exception as error:  # noqa: BLE001
            # the store is probably what failed; the caller's document matters more than the note
            log.error("twilio_hand_back_not_noted", call_ref=call_ref, error=type(error).__name__)


def _token(request: Request) -> str:
    return request.headers.get(TOKEN_HEADER, "")


def _round(request: Request) -> int:
    raw = request.query_params.get("round", "1")
    return min(int(raw), MOST_ROUNDS) if raw.isdecimal() and len(raw) < 7 else 1
