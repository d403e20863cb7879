"""The same callers by Twilio's webhooks and from the terminal's telephone; their journals in one form.

(By SIP they need an Asterisk: tests/e2e/test_three_ways.py.)
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from adapters.phone.line import Line
from adapters.phone.model import FarEnd
from adapters.phone.terminal import dial
from adapters.twilio.fallback import fallback_document
from adapters.twilio.settings import DEMO_FALLBACK
from callrouter.dispatch.providers import Providers
from tests.canonical import canonical
from tests.integration.test_twilio_call import a_client, an_app
from tests.integration.test_twilio_caller import PUBLIC_URL, TOKEN, TwilioCall
from tests.service import CallService, a_provider, build_calls

LINES = {"one-eleven": "111", "dental-line": "dental", "mental-health-line": "mental_health",
         "clinician-line": "clinician", "pharmacy-line": "pharmacy"}  # fmt: skip
TELEPHONES = {f"+4420794601{number:02}": name for number, name in enumerate(LINES)}
BUSY = "mental-health-line"
HOUSE = Providers(tuple(a_provider(name, LINES[name], tel=tel) for tel, name in TELEPHONES.items()))
NUMBER = "+447700900130"

SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "medical": ("1",),
    "dental": ("3",),
    "busy mental-health line, then a clinician": ("2",),
    "a person by key 0": ("0",),
    "silence": ("",),
    "not understood, then dental": ("9", "3"),
    "not understood, then medical": ("9", "1"),
}
"""Keys pressed at one question after the other; empty is silence. Whoever is put through hangs up after a while."""

Journal = list[tuple[str, dict[str, Any]]]


async def by_twilio(folder: Path, keys: tuple[str, ...]) -> Journal:
    """The caller's journal, over webhooks that the test sends by itself."""
    service = await build_calls(folder, providers=HOUSE)
    try:
        async with a_client(an_app(service)) as client:
            call = TwilioCall(client, from_=NUMBER)
            await call.start()
            for key in keys:
                await (call.press(key) if key else call.stay_silent())
            while call.step.tag == "Dial" and TELEPHONES[call.dialled] == BUSY:
                await call.dial_ends("busy")
            await call.leg("in-progress")
            await call.dial_ends("completed", 5, gone=True)
            await call.status()
            return await _journal(service)
    finally:
        await service.close()


@dataclass(frozen=True, slots=True)
class _Telephones:
    """Everybody answers, save one line that is busy."""

    def take(self, target: str) -> FarEnd:
        return FarEnd("busy" if TELEPHONES[target] == BUSY else "answered", ring_s=0.1, talk_s=600)


async def by_terminal(folder: Path, keys: tuple[str, ...]) -> Journal:
    """The caller's journal, typed at the telephone of the terminal."""
    service = await build_calls(folder, providers=HOUSE)
    try:
        async with a_client(an_app(service)) as client:
            client.timeout = httpx.Timeout(60)
            line = Line(client, PUBLIC_URL, TOKEN, fallback_document(DEMO_FALLBACK))
            typed = io.StringIO("".join(f"{key}\n" for key in keys) + "h\n")
            console = Console(file=io.StringIO())
            await dial(line, NUMBER, console=console, typed=typed, speed=200, far=_Telephones())
            return await _journal(service)
    finally:
        await service.close()


async def _journal(service: CallService) -> Journal:
    (call_ref,) = set(await service.everything())
    return canonical([each.event for each in await service.journal(call_ref)])
