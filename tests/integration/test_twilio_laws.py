"""A law: whatever order, however often webhooks come, the caller is on the way to a person, and ends once."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import httpx
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from adapters.twilio.routes import twilio_router
from adapters.twilio.settings import TwilioSettings
from infra.turns import Turns
from tests.integration.test_twilio_caller import PUBLIC_URL, TOKEN, TwilioCall, check
from tests.service import PROMPTS, build_calls

FORMS: tuple[dict[str, str], ...] = (
    {"Digits": "1"},
    {"Digits": "2"},
    {"Digits": "3"},
    {"Digits": "4"},
    {"Digits": "9"},
    {"Digits": ""},
    {"SpeechResult": "toothache"},
    {"SpeechResult": "I can't breathe"},
    {"SpeechResult": "mumble"},
    {"DialCallStatus": "busy"},
    {"DialCallStatus": "no-answer", "CallStatus": "completed"},
    {"DialCallStatus": "completed", "DialCallDuration": "12", "DialBridged": "true"},
    {"DialCallStatus": "completed", "DialCallDuration": "12", "CallStatus": "completed"},
    {"DialCallStatus": "completed"},
    {"CallStatus": "ringing"},
    {"CallStatus": "in-progress"},
    {"CallStatus": "completed", "CallDuration": "9"},
    {},
)
"""What Twilio may say; sent to any address that a document named, fitting or not."""

steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 30), st.sampled_from(FORMS)),
        st.tuples(st.just("next"), st.just(0), st.sampled_from(FORMS)),
        st.tuples(st.just("again"), st.integers(0, 30), st.just({})),
        st.tuples(st.just("start"), st.just(0), st.just({})),
        st.tuples(
            st.just("status"), st.just(0), st.sampled_from([{"CallStatus": "completed"}, {"CallStatus": "failed"}])
        ),
    ),
    max_size=14,
)


@given(steps=steps)
def test_every_webhook_leads_to_a_person_and_the_call_ends_once(steps: list[tuple[str, int, dict[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_live(Path(folder), steps))


async def _live(folder: Path, steps: list[tuple[str, int, dict[str, str]]]) -> None:
    service = await build_calls(folder)
    app = FastAPI()
    about = TwilioSettings(public_url=PUBLIC_URL, auth_tokens=(TOKEN,))
    app.include_router(
        twilio_router(
            service.calls,
            about,
            keys=service.keys,
            providers=service.providers,
            prompts=PROMPTS,
            clock=service.clock,
            turns=Turns(),
        )
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://internal") as client:
        call = TwilioCall(client)
        ref = service.keys.index("twilio-call", call.sid)[:32]
        await call.start()
        urls = _addresses(call)
        for what, index, form in steps:
            match what:
                case "send":
                    url = urls[index % len(urls)]
                case "next":
                    url = urls[-1]
                case "status":
                    url = f"{PUBLIC_URL}/twilio/status"
                case _:
                    url = f"{PUBLIC_URL}/twilio/voice"
            if what == "again":
                answer = await call.again(index % len(call.sent))
                url = call.sent[index % len(call.sent)][0]
            else:
                answer = await call.post(url, call.fields(**form), token=None if index % 2 else f"t{len(call.sent)}")
            if url.partition("#")[0].endswith(("/leg", "/status")):
                assert (answer.status, answer.body) == (204, b"")
                continue
            assert answer.status == 200
            call.root = check(answer.body.decode())
            urls += _addresses(call)
            if call.step.tag == "Hangup":
                assert await service.events(ref, "talk_ended")
            else:
                assert call.step.tag in ("Gather", "Redirect", "Dial")
        await call.status()
        await call.status("failed")
        assert len(await service.events(ref, "ended")) == 1
        recorded = await service.journal(ref)
        assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))
    await service.close()


def _addresses(call: TwilioCall) -> list[str]:
    """Every address that the document names."""
    found = [verb.text or "" for verb in call.root if verb.tag == "Redirect"]
    for verb in call.root.iter():
        found += [url for name in ("action", "statusCallback") if (url := verb.get(name))]
    return found
