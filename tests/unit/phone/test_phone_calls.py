"""The telephone: it plays Twilio's part, and says from the caller's side what a call was like."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Response
from rich.console import Console

from adapters.phone.line import Line
from adapters.phone.model import (
    Act,
    Caller,
    Experience,
    FarEnd,
    HangUp,
    Moment,
    MomentKind,
    Pace,
    Press,
    Speak,
    SteadyFar,
)
from adapters.phone.phone import Phone
from adapters.phone.terminal import dial
from adapters.twilio.fallback import fallback_document
from adapters.twilio.routes import twilio_router
from adapters.twilio.settings import TwilioSettings
from infra.turns import Turns
from tests.service import PROMPTS, CallService, build_calls

PUBLIC_URL, TOKEN, SPEED = "https://calls.example", "t", 200.0
DENTAL = "+442079460130"


class Scripted:
    """Answers each question with the next act; hangs up at the first moment of ``leaves``, if any."""

    def __init__(self, *acts: Act | None, leaves: MomentKind | None = None) -> None:
        self.acts = list(acts)
        self.leaves = leaves
        self.moments: list[Moment] = []

    async def during(self, moment: Moment) -> Act | None:
        self.moments.append(moment)
        if moment.kind is self.leaves:
            return HangUp()
        if moment.kind is MomentKind.QUESTION and self.acts:
            return self.acts.pop(0)
        return None


def a_line(app: FastAPI) -> Line:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://internal")
    return Line(client, PUBLIC_URL, TOKEN, fallback_document("+442079460111"))


def an_app(service: CallService) -> FastAPI:
    app = FastAPI()
    settings = TwilioSettings(public_url=PUBLIC_URL, auth_tokens=(TOKEN,))
    parts = {"keys": service.keys, "providers": service.providers, "prompts": PROMPTS, "clock": service.clock}
    app.include_router(twilio_router(service.calls, settings, turns=Turns(), **parts))  # type: ignore[arg-type]
    return app


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[CallService]:
    service = await build_calls(tmp_path)
    yield service
    await service.close()


async def call(line: Line, caller: Caller, far: FarEnd | None = None) -> Experience:
    far = far or FarEnd()
    phone = Phone(line, caller, number="+447700900123", far=SteadyFar(far), pace=Pace(SPEED))
    async with line.client:
        return await phone.call()


async def test_a_key_leads_to_a_person(service: CallService) -> None:
    experience = await call(a_line(an_app(service)), Scripted(Press("3")))
    assert experience.talked_to == [DENTAL]
    assert experience.talk_s == pytest.approx(30, rel=0.2)
    assert (experience.ended_by, experience.how) == ("far", "hangup")
    assert experience.heard[0].startswith("You have reached NHS 111")
    ended = await only_call(service, "ended")
    assert (ended.end_class, ended.by) == ("answered", "provider")


async def only_call(service: CallService, kind: str) -> object:
    (call_ref,) = set(await service.everything())
    (event,) = await service.events(call_ref, kind)
    return event


async def test_words_lead_to_a_person(service: CallService) -> None:
    experience = await call(a_line(an_app(service)), Scripted(Speak("toothache")))
    assert experience.talked_to == [DENTAL]


async def test_hanging_up_in_a_talk_is_the_callers_end(service: CallService) -> None:
    experience = await call(a_line(an_app(service)), Scripted(Press("3"), leaves=MomentKind.TALK))
    assert (experience.ended_by, experience.talked_to) == ("caller", [DENTAL])
    assert (await only_call(service, "ended")).by == "caller"
    assert (await only_call(service, "talk_ended")).by == "caller"


async def test_hanging_up_while_it_rings_is_abandoned(service: CallService) -> None:
    experience = await call(a_line(an_app(service)), Scripted(leaves=MomentKind.RINGING))
    assert (experience.ended_by, experience.talked_to) == ("caller", [])
    assert (await only_call(service, "ended")).end_class == "abandoned"


async def test_a_question_may_be_answered_before_it_is_over(service: CallService) -> None:
    caller = Scripted(Press("3"), leaves=MomentKind.TALK)
    began = asyncio.get_running_loop().time()
    await call(a_line(an_app(service)), caller)
    question = next(moment for moment in caller.moments if moment.kind is MomentKind.QUESTION)
    assert (question.digits, question.speech) == (1, True)
    assert question.seconds > 15
    assert asyncio.get_running_loop().time() - began < 2


@pytest.mark.slow
@pytest.mark.parametrize("far", [FarEnd("busy", ring_s=1), FarEnd("no-answer"), FarEnd("answered", ring_s=90)])
async def test_providers_that_do_not_answer_end_at_the_default_service(service: CallService, far: FarEnd) -> None:
    experience = await call(a_line(an_app(service)), Scripted(Press("3")), far)
    assert experience.tried[0] == DENTAL
    assert experience.tried[-1] == "+442079460111"
    assert experience.fell_back
    assert experience.talked_to == []


def _refuses(status: int) -> Callable[[], Response]:
    return lambda: Response(status_code=status)


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_service_that_fails_is_replaced_by_the_fallback_document(status: int) -> None:
    app = FastAPI()
    app.add_api_route("/{path:path}", _refuses(status), methods=["POST"])
    experience = await call(a_line(app), Scripted())
    assert experience.talked_to == ["+442079460111"]
    assert experience.fell_back
    assert experience.http_errors >= 1
    assert experience.why == f"HTTP {status}"


async def test_a_document_that_is_no_twiml_strands_the_caller_and_says_so() -> None:
    app = FastAPI()
    app.add_api_route("/{path:path}", lambda: Response("<Response><Sing/></Response>"), methods=["POST"])
    experience = await call(a_line(app), Scripted())
    assert (experience.ended_by, experience.how, experience.talked_to) == ("system", "error", [])


@pytest.mark.parametrize(("status", "said"), [(403, "refused our signature"), (500, "gave no answer (HTTP 500)")])
async def test_the_terminal_says_that_the_service_did_not_take_the_call(status: int, said: str) -> None:
    app, out = FastAPI(), io.StringIO()
    app.add_api_route("/{path:path}", _refuses(status), methods=["POST"])
    line = a_line(app)
    async with line.client:
        console = Console(file=out, width=200, no_color=True)
        await dial(line, "+447700900123", console=console, typed=io.StringIO("h\n"), speed=SPEED)
    assert said in out.getvalue()


@pytest.mark.parametrize(
    ("typed", "shown", "how"),
    [
        ("3\nh\n", "connected to Dental line (+442079460130)", "You hung up."),
        ("3\n", "connected to Dental line (+442079460130)", "You hung up."),
        ("toothache\n", "(said: toothache)", "You hung up."),
        ("\n", "(silence)", "You hung up."),
        ("9\n3\n", "Sorry, I did not understand that.", "You hung up."),
        ("", "For urgent mental health help, press 2.", "You hung up."),
        ("h\n", "For urgent mental health help, press 2.", "You hung up."),
    ],
)
async def test_the_terminal_takes_typed_and_piped_lines(service: CallService, typed: str, shown: str, how: str) -> None:
    out = io.StringIO()
    console = Console(file=out, width=200, no_color=True)
    line = a_line(an_app(service))
    async with line.client:
        async with asyncio.timeout(20):
            await dial(
                line,
                "+447700900123",
                console=console,
                typed=io.StringIO(typed),
                names={DENTAL: "Dental line"},
                speed=SPEED,
            )
    assert shown in out.getvalue()
    assert out.getvalue().strip().endswith(how)
