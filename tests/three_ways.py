"""The same callers by Twilio's webhooks and from the terminal's telephone; their journals in one form.

(By SIP they need an Asterisk: tests/e2e/test_three_ways.py.)
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from adapters.phone.line import Line
from adapters.phone.model import FarEnd
from adapters.phone.phone import DIALLED
from adapters.phone.terminal import dial
from adapters.twilio.fallback import fallback_document
from adapters.twilio.settings import DEMO_FALLBACK
from callrouter.dispatch.providers import Providers
from callrouter.flows import load_flow
from callrouter.hours import read_hours
from callrouter.messages.model import prompt_key
from callrouter.plans.pathways import FoundPlans
from callrouter.ports import FrontEndMessage
from careplans.importer import check_plan_file
from careplans.service import CarePlans
from careplans.store import metadata
from infra.clock import SystemClock
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import connect_database
from ivr.flow import Flow
from tests.canonical import canonical
from tests.integration.test_twilio_caller import PUBLIC_URL, TOKEN, TwilioCall
from tests.service import LONDON, PROMPTS, CallService, a_provider, build_calls
from tests.twilio_world import a_client, an_app

TEAMS = ("frailty", "crisis", "ms_nurse", "palliative")
LINES = {"one-eleven": ("111",), "dental-line": ("dental",), "mental-health-line": ("mental_health",),
         "clinician-line": ("clinician", *TEAMS), "pharmacy-line": ("pharmacy",)}  # fmt: skip
TELEPHONES = {f"+4420794601{number:02}": name for number, name in enumerate(LINES)}
BUSY = "mental-health-line"
HOUSE = Providers(tuple(a_provider(name, *LINES[name], tel=tel) for tel, name in TELEPHONES.items()))
HOURS = Path(__file__).parent / "always_open.yaml"

BORN, ANOTHER_DAY = "1950-04-04", "05041950"
GIVEN = "04041950"  # BORN, as it is keyed


@dataclass(frozen=True)
class Script:
    """Keys pressed, or words said, at one question after the other; empty is silence (of a message or an offer: it is
    heard to its end). Whoever is put through hangs up after a while.

    ``plan``: the kind of the plan that the caller's number is known for, if any; ``stale``: its review is overdue.
    ``told``: the date of birth opened the pathway, and the caller hears of a team. ``relay``: who types and reads, by
    18001. ``message``: :data:`MESSAGE` is live.
    """

    keys: tuple[str, ...]
    plan: str = ""
    stale: bool = False
    told: bool = False
    withheld: bool = False
    relay: bool = False
    message: bool = False

    @property
    def spoken(self) -> bool:
        """Whether anything is said; SIP takes keys alone."""
        return not all(each.isdecimal() or not each for each in self.keys)


WORDS = "The walk-in centre in Croydon is closed this afternoon."
MARKER = "walk-in-centre"
MESSAGE = FrontEndMessage(MARKER, (prompt_key("en", WORDS),), seconds=4.0)


@dataclass(frozen=True)
class OneMessage:
    """:class:`callrouter.ports.Messages` with one for everybody who has not asked for a service."""

    def valid(self, *, service: str = "", language: str, **_caller: object) -> tuple[FrontEndMessage, ...]:
        return () if service or language != "en" else (MESSAGE,)


PATHWAYS = {
    "frail and elderly": "frailty care plan",
    "mental-health crisis": "crisis plan",
    "high service user": "high service use plan",
    "multiple sclerosis": "multiple sclerosis care plan",
    "end of life": "end of life care plan",
}
ASKED = frozenset({"frail and elderly", "multiple sclerosis", "end of life"})
"""The pathways that ask whether the caller wants the team."""


def _of(pathway: str, *keys: str, stale: bool = False) -> Script:
    return Script(("5", *keys), PATHWAYS[pathway], stale, told=GIVEN in keys and not stale)


SCRIPTS: Mapping[str, Script] = {
    "medical": Script(("1",)),
    "dental": Script(("3",)),
    "busy mental-health line, then a clinician": Script(("2",)),
    "a person by key 0": Script(("0",)),
    "silence": Script(("",)),
    "not understood, then dental": Script(("9", "3")),
    "not understood, then medical": Script(("9", "1")),
    **{f"{each}, asserted": _of(each, GIVEN, "1", *("1" if each in ASKED else "")) for each in PATHWAYS},
    **{f"{each}, candidates: another date": _of(each, ANOTHER_DAY, "1") for each in PATHWAYS},
    "care plan key, none": Script(("5", GIVEN, "1")),
    "frail and elderly, asserted, stays with 111": _of("frail and elderly", GIVEN, "1", "2"),
    "multiple sclerosis, asserted, key 0": _of("multiple sclerosis", GIVEN, "1", "0"),
    "end of life, stale": _of("end of life", GIVEN, "1", stale=True),
    "end of life, the date given again": _of("end of life", ANOTHER_DAY, "2", GIVEN, "1", "1"),
    "frail and elderly, silent at the date": _of("frail and elderly", ""),
    "flu, a pharmacist": Script(("4", "", "1")),
    "flu, stays with 111": Script(("4", "", "2")),
    "Polish, an interpreter": Script(("6", "1")),
    "Polish, the mental-health line": Script(("6", "2")),
    "says toothache": Script(("my tooth hurts",)),
    "says nothing known, then cough, then chemist": Script(("well hello there", "a bad cough", "", "chemist")),
    "says a red flag": Script(("I can't breathe",)),
    "says a red flag after the pharmacy advice": Script(("4", "", "I have chest pain")),
    "a front-end message": Script(("1", ""), message=True),
    "key 0 in a front-end message": Script(("1", "0"), message=True),
    "a withheld number": Script(("1",), withheld=True),
    "a withheld number, care plan key": Script(("5", GIVEN, "1"), withheld=True),
    "text relay": Script((), relay=True),
    "shorter and slower, dental": Script(("7", "3")),
    "shorter and slower, care plan key": Script(("7", "5", GIVEN, "1")),
}

PROMPTS_AND_MESSAGE = {**PROMPTS, prompt_key("en", WORDS): WORDS}

PATIENCE_S = 1.0  # of a look-up, which is about what is found; the webhook answers within twice that

Journal = list[tuple[str, dict[str, Any]]]


def number_of(name: str) -> str:
    """The number from which a script's caller rings: each has its own, since a third call is a repeat caller's."""
    return f"+4477009001{40 + [*SCRIPTS].index(name):02}"


def caller_id(name: str) -> str:
    """What Twilio's number and the terminal's say of who calls."""
    return "anonymous" if SCRIPTS[name].withheld else number_of(name)


def dialled_by(name: str, usual: str) -> str:
    """The number that a script's caller dials."""
    return "18001111" if SCRIPTS[name].relay else usual


def plan_file(folder: Path) -> Path:
    """The plans of all callers, as a source hands them over."""
    file = folder / "plans.csv"
    rows = [
        {
            "plan_id": f"P{count}", "source": "Demo Trust", "author_org": "Demo Hospice", "kind": script.plan,
            "family_name": f"Example {count}", "date_of_birth": BORN, "phones": number_of(name),
            "handler_line": "Offer the team first.", "valid_from": "2025-05-04",
            "review_by": "2025-06-04" if script.stale else "", "version": "1",
        }
        for count, (name, script) in enumerate(SCRIPTS.items())
        if script.plan
    ]  # fmt: skip
    with file.open("w", newline="") as written:
        writer = csv.DictWriter(written, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


async def by_twilio(folder: Path, name: str) -> Journal:
    """The caller's journal, over webhooks that the test sends by itself."""
    async with _service(folder, name) as service, a_client(an_app(service, PROMPTS_AND_MESSAGE)) as client:
        call = TwilioCall(client, from_=caller_id(name), to=dialled_by(name, "+442079460000"))
        await call.start()
        for key in SCRIPTS[name].keys:
            if not key:
                await call.stay_silent()
            else:
                await (call.press(key) if key.isdecimal() else call.say(key))
        while call.step.tag == "Dial" and TELEPHONES[call.dialled] == BUSY:
            await call.dial_ends("busy")
        await call.leg("in-progress")
        await call.dial_ends("completed", 5, gone=True)
        await call.status()
        return await _journal(service)


@dataclass(frozen=True, slots=True)
class _Telephones:
    """Everybody answers, save one line that is busy."""

    def take(self, target: str) -> FarEnd:
        return FarEnd("busy" if TELEPHONES[target] == BUSY else "answered", ring_s=0.1, talk_s=600)


async def by_terminal(folder: Path, name: str) -> Journal:
    """The caller's journal, typed at the telephone of the terminal."""
    async with _service(folder, name) as service, a_client(an_app(service, PROMPTS_AND_MESSAGE)) as client:
        client.timeout = httpx.Timeout(60)
        line = Line(client, PUBLIC_URL, TOKEN, fallback_document(DEMO_FALLBACK))
        typed = io.StringIO("".join(f"{key}\n" for key in SCRIPTS[name].keys) + "h\n")
        console = Console(file=io.StringIO())
        await dial(
            line, caller_id(name), console=console, typed=typed, speed=200, far=_Telephones(),
            dialled=dialled_by(name, DIALLED),
        )  # fmt: skip
        return await _journal(service)


@cache
def _flow() -> Flow:
    """Read and proved once for all calls."""
    return load_flow(LONDON)


@asynccontextmanager
async def _service(tmp_path: Path, name: str) -> AsyncIterator[CallService]:
    """The London flow before real plans, which have answered once: whoever calls first would wait for their opening."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    keys, clock = KeyRing(b"m" * 32, b"i" * 32), SystemClock()
    database = connect_database(f"sqlite:///{folder / 'plans.db'}")
    await database.write(metadata.create_all)
    plans = CarePlans(database, keys, clock)
    found = FoundPlans(plans)
    assert not (await plans.load(check_plan_file(plan_file(folder)).rows())).refused
    await found.find(read_number(number_of(name)))
    service = await build_calls(
        folder, providers=HOUSE, keys=keys, care_plans=found, flow=_flow(), hours=read_hours(HOURS),
        budget_s=PATIENCE_S, messages=OneMessage() if SCRIPTS[name].message else None,
    )  # fmt: skip
    try:
        yield service
    finally:
        await service.close()
        await database.close()


async def _journal(service: CallService) -> Journal:
    (call_ref,) = set(await service.everything())
    return canonical([each.event for each in await service.journal(call_ref)])
