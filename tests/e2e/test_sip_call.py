"""A caller dials 111 over SIP and talks to the right person: the real service, Asterisk, SIPp and RTP."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from callrouter.handover import SignedIn
from callrouter.messages.content import plain
from callrouter.messages.model import Wording, prompt_key
from console.api import TOKEN_HEADER
from console.session import Sessions
from infra.asterisk.instance import Asterisk, AsteriskSettings, AsteriskUnavailable, Provider, find_installation
from infra.clock import SystemClock
from infra.voices import VoiceMissing
from tests.message_world import ANN, CAZ, content
from tests.running import RunningService
from tests.sip.listening import backwards, likeness
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import SippCaller, SippProvider
from tests.spoken import speak_into

pytestmark = pytest.mark.alone

LEASE_S = 2.0
HEARD, NOT_HEARD = 0.9, 0.5  # likeness of what a caller heard to a recording
DEAD_AIR_S = 3.0  # no caller hears nothing for longer
NUMBER = "+447700900123"
ALWAYS_OPEN = Path(__file__).parents[1] / "always_open.yaml"
SECRET = "a-secret-of-the-tests-and-of-nothing-else"
MESSAGE_NUMBER = "+442079460130"  # a London line, of the message's area

LINES: dict[str, dict[str, Any]] = {
    "one-eleven": {"answer_after": 0.2},
    "dental-line": {"answer_after": 0.2, "hang_up_after": 1.0},
    "mental-health-line": {"refuse_with": 486},
    "clinician-line": {"answer_after": 0.2},
    "pharmacy-line": {"answer_after": None},  # only rings
}
SERVICES = {"one-eleven": "111", "dental-line": "dental", "mental-health-line": "mental_health",
            "clinician-line": "clinician", "pharmacy-line": "pharmacy"}  # fmt: skip


@dataclass
class House:
    """Everything that stands: the service before Asterisk, and the providers' telephones by id."""

    service: RunningService
    asterisk: Asterisk
    providers: dict[str, SippProvider]
    ears: dict[str, RtpEnd]
    folder: Path
    stack: ExitStack

    def call(self, number: str, *, keep_sound: bool = False, **how: Any) -> tuple[SippCaller, RtpEnd]:
        """Somebody dials 111. Each test has a number of its own: the third call from one is a repeat caller's."""
        ear = self.stack.enter_context(RtpEnd(keep_sound=keep_sound))
        caller = self.stack.enter_context(SippCaller(self.folder, self.asterisk.ports.sip, ear, number=number, **how))
        return caller, ear

    def newest_call(self) -> str:
        """The reference of the newest call in the journal."""
        return self.service.run("call", "list", "--limit", "1").stdout.split()[2]

    def journalled(self) -> list[str]:
        """The kinds of event of the newest call. Read here: a command for each look would take the callers' cores."""
        newest = "(SELECT call_ref FROM calls ORDER BY offered_at DESC LIMIT 1)"
        file = self.service.folder / "data/callrouter.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            rows = database.execute(f"SELECT kind FROM journal WHERE call_ref = {newest} ORDER BY seq").fetchall()
        return [kind for (kind,) in rows]

    def wait_for_event(self, kind: str, within: float = 60.0) -> None:
        """Return as soon as the newest call's journal holds an event of this kind."""
        self.wait_for(lambda kinds: kind in kinds, f"no event {kind}", within)

    def wait_for(self, so: Callable[[list[str]], bool], otherwise: str, within: float = 60.0) -> None:
        """Return as soon as ``so`` holds of the kinds of event of the newest call."""
        self._until(lambda: so(self.journalled()), otherwise, within)

    def ended(self, within: float = 40.0) -> list[dict[str, Any]]:
        """The events of the newest call, once its end is in the journal."""
        self._until(lambda: self.journalled()[-1:] == ["ended"], "the end of the call is not in the journal", within)
        return self.service.events(self.newest_call())

    def _until(self, so: Callable[[], bool], otherwise: str, within: float) -> None:
        deadline = time.monotonic() + within
        while not so():
            assert time.monotonic() < deadline, f"{otherwise}: {self.journalled()}"
            time.sleep(0.1)  # the journal is written by a process that tells nobody


@pytest.fixture(scope="module")
def house_with_everything(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Three providers answer, one is busy, one only rings; 111 has one line, whose person waits for the end.

    A module that uses it may have ``SETTINGS`` of its own for the service.
    """
    if shutil.which("sipp") is None:
        pytest.skip("SIPp is not installed: apt-get install sip-tester")
    folder = tmp_path_factory.mktemp("house")
    try:
        installation = find_installation()
        speak_into(folder / "prompts")
    except (AsteriskUnavailable, VoiceMissing) as reason:
        pytest.skip(f"no SIP call possible here: {reason}")
    with ExitStack() as stack:
        ears = {name: stack.enter_context(RtpEnd()) for name in LINES}
        lines = {name: stack.enter_context(SippProvider(folder, ears[name], **how)) for name, how in LINES.items()}
        settings = AsteriskSettings(
            providers=[Provider(name, "127.0.0.1", line.port) for name, line in lines.items()],
            default_provider="one-eleven", lease=LEASE_S,
        )  # fmt: skip
        asterisk = stack.enter_context(Asterisk(folder / "asterisk", settings, installation))
        for name, line in lines.items():
            asterisk.cli(f"pjsip qualify provider-{name}")
            line.wait_received("OPTIONS")
        file = folder / "providers.yaml"
        rows: list[dict[str, Any]] = [
            {"id": name, "name": name, "services": [service], "tel": "+442079460101", "answers": "agent"}
            for name, service in SERVICES.items()
        ]
        rows[0]["lines"] = 1
        rows[3]["services"] += ["frailty", "crisis", "ms_nurse", "palliative"]
        file.write_text(yaml.safe_dump({"providers": rows}))
        service = stack.enter_context(
            RunningService(
                folder / "service",
                {
                    "SESSION_SECRET": SECRET,
                    "PROVIDERS_FILE": str(file),
                    "HOURS_FILE": str(ALWAYS_OPEN),
                    "LOOKUP_BUDGET_MS": "1000",  # a busy machine must not answer for what is found
                    "PROMPTS_AUDIO_DIR": str(folder / "prompts"),
                    "ARI_URL": asterisk.ari_url,
                    "ARI_USER": settings.ari_user,
                    "ARI_PASSWORD": settings.ari_password,
                    **getattr(request.module, "SETTINGS", {}),
                },
            )
        )
        yield House(service, asterisk, lines, ears, folder, stack)


@pytest.fixture
def house(house_with_everything: House) -> Iterator[House]:
    """The house for one test; callers that it leaves on the line are hung up."""
    with ExitStack() as stack:
        one = house_with_everything
        yield House(one.service, one.asterisk, one.providers, one.ears, one.folder, stack)
        one.asterisk.cli("channel request hangup all")


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [each["kind"] for each in events]


def only(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [each for each in events if each["kind"] == kind]
    assert len(found) == 1, f"{len(found)} events {kind} in {json.dumps(events, indent=1)}"
    return found[0]


def test_a_caller_presses_1_and_talks_to_111_until_they_hang_up(house: House) -> None:
    line = house.providers["one-eleven"]
    before = len(line.received("INVITE"))
    caller, ear = house.call(NUMBER)
    caller.wait_answered()
    answered = time.monotonic()
    assert ear.wait_heard(int(3.2 * LEASE_S / 0.02), within=4 * LEASE_S), "the caller hears the prompts"
    ear.press("1")
    invite = line.wait_called(within=40, count=before + 1)
    assert ear.wait_heard(40), "the caller hears the provider"
    assert house.ears["one-eleven"].wait_heard(40), "the provider hears the caller"
    caller.hang_up()
    events = house.ended()
    assert caller.wait_ended() == 0
    line.wait_received("BYE")
    context = only(events, "offered")["context"]
    assert invite.header("User-to-User") == f"{context};encoding=hex"
    assert NUMBER in (invite.header("From") or "")
    assert only(events, "choice_made")["choice"] == "medical"
    assert [each["what"] for each in events if each["kind"] == "looked_up"] == ["plan", "repeat", "messages"]
    assert only(events, "leg_answered")["provider"] == "one-eleven"
    assert only(events, "talk_ended")["by"] == "caller"
    assert only(events, "ended")["end_class"] == "answered"
    assert ear.longest_gap(since=answered) < DEAD_AIR_S
    assert places_of(house.folder, NUMBER[3:]) == {"caller", "provider"}, (
        "who is called sees it, and the trace of the test"
    )


def places_of(folder: Path, word: str) -> set[str]:
    """Where a word lies in clear: in Asterisk's logs, CDR, spool and AstDB, in our files, prompts, or telephones."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {each.relative_to(folder).parts[0].partition("-")[0] for each in files if word.encode() in each.read_bytes()}


@pytest.mark.slow
def test_keys_by_sip_info_reach_the_dental_line_which_hangs_up(house: House) -> None:
    caller, ear = house.call("+447700900124", keys_by_info=[(8.0, "3")], rfc4733=False)
    caller.wait_answered()
    house.providers["dental-line"].wait_called(within=40)
    assert ear.wait_heard(40)
    assert caller.wait_ended(within=40) == 0, "both legs end when the provider hangs up"
    events = house.ended()
    assert only(events, "talk_ended")["by"] == "provider"
    assert only(events, "leg_answered")["provider"] == "dental-line"


@pytest.mark.slow
def test_silence_through_a_prompt_of_three_leases_goes_to_111(house: House) -> None:
    with wave.open(str(house.folder / "prompts/main_menu.wav16")) as menu:
        assert menu.getnframes() / menu.getframerate() > 3 * LEASE_S
    line = house.providers["one-eleven"]
    before = len(line.received("INVITE"))
    caller, _ = house.call("+447700900125")
    caller.wait_answered()
    line.wait_called(within=60, count=before + 1)
    assert house.ears["one-eleven"].wait_heard(20)
    caller.hang_up()
    events = house.ended()
    assert only(events, "no_input")["node"] == "main_menu"
    assert "taken_over" not in kinds(events), "one worker kept the call through a prompt of three leases"
    assert only(events, "leg_answered")["provider"] == "one-eleven"


@pytest.mark.slow
def test_a_busy_mental_health_line_gives_the_caller_to_a_clinician(house: House) -> None:
    line = house.providers["clinician-line"]
    before = len(line.received("INVITE"))
    caller, ear = house.call("+447700900126")
    caller.wait_answered()
    ear.press("2")
    invite = line.wait_called(within=40, count=before + 1)
    assert house.ears["clinician-line"].wait_heard(20)
    caller.hang_up()
    events = house.ended()
    failed = only(events, "leg_failed")
    assert (failed["provider"], failed["cause"]) == ("mental-health-line", "busy")
    assert only(events, "leg_answered")["provider"] == "clinician-line"
    assert invite.header("User-to-User") == f"{only(events, 'offered')['context']};encoding=hex"


@pytest.mark.slow
def test_key_0_while_the_pharmacy_rings_leads_to_111(house: House) -> None:
    line = house.providers["one-eleven"]
    before = len(line.received("INVITE"))
    caller, ear = house.call("+447700900131")
    caller.wait_answered()
    ear.press("4")
    house.wait_for_event("message_heard")
    ear.press("1")
    house.wait_for_event("leg_ringing")
    ear.press("0")
    line.wait_called(within=40, count=before + 1)
    assert house.ears["one-eleven"].wait_heard(20)
    caller.hang_up()
    events = house.ended()
    failed = only(events, "leg_failed")
    assert (failed["provider"], failed["cause"]) == ("pharmacy-line", "left_for_111")
    assert [each["choice"] for each in events if each["kind"] == "choice_made"][-1] == "person"
    assert only(events, "leg_answered")["provider"] == "one-eleven"


def test_a_caller_who_hangs_up_in_the_menu_is_journalled_as_having_left_in_the_message(house: House) -> None:
    caller, ear = house.call("+447700900127")
    caller.wait_answered()
    assert ear.wait_heard(20)
    caller.hang_up()
    events = house.ended()
    ended = only(events, "ended")
    assert (ended["end_class"], ended["by"]) == ("left_in_message", "caller")


@pytest.mark.slow
def test_a_waiting_caller_is_put_through_as_soon_as_a_line_is_free(house: House) -> None:
    line = house.providers["one-eleven"]
    before = len(line.received("INVITE"))
    first, ear = house.call("+447700900128")
    first.wait_answered()
    ear.press("1")
    line.wait_called(within=40, count=before + 1)
    second, waiting_ear = house.call("+447700900129")
    second.wait_answered()
    waiting_ear.press("1")
    # the hold prompt begins; the line becomes free in the middle of it
    house.wait_for_event("queued")
    assert waiting_ear.wait_heard(50)
    freed = time.monotonic()
    first.hang_up()
    line.wait_called(within=30, count=before + 2)
    assert waiting_ear.wait_heard(40)
    second.hang_up()
    events = house.ended()
    assert only(events, "leg_answered")["provider"] == "one-eleven"
    assert only(events, "ended")["end_class"] == "answered"
    assert waiting_ear.longest_gap(since=freed) < DEAD_AIR_S


class Person:
    """Somebody who is signed in, with a client that may change things."""

    def __init__(self, house: House, who: SignedIn) -> None:
        sessions = Sessions(SECRET, clock=SystemClock())
        cookies = {sessions.cookie_name: sessions.sign(who)}
        session = sessions.read(cookies)
        assert session is not None
        headers = {TOKEN_HEADER: sessions.form_token(session)}
        self._client = house.stack.enter_context(
            httpx.Client(base_url=f"{house.service.url}/", cookies=cookies, headers=headers)
        )

    def post(self, path: str, sent: object = None) -> dict[str, Any]:
        answer = self._client.post(f"api/messages{path}", json={} if sent is None else sent)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def sound(self, key: str) -> bytes:
        return self._client.get(f"messages/sound/{key}.wav").content


@pytest.mark.slow
def test_a_caller_hears_the_message_that_two_people_approved_and_is_put_through(house: House) -> None:
    now = datetime.now(UTC)
    ann, caz = Person(house, ANN), Person(house, CAZ)
    words = "The walk-in centre in Croydon is closed this afternoon."
    message = content(wordings={"en": Wording(words)}, starts_at=now, expires_at=now + timedelta(hours=1))
    drafted = ann.post("", plain(message))
    one = f"/{drafted['id']}"
    caz.post(f"{one}/approve", {"digest": drafted["digest"]})
    ann.post(f"{one}/release")
    recording = ann.sound(prompt_key("en", words))
    try:
        caller, ear = house.call(MESSAGE_NUMBER, keep_sound=True)
        caller.wait_answered()
        assert ear.wait_heard(50)
        ear.press("1")
        house.wait_for_event("leg_answered")
        caller.hang_up()
        events = house.ended()
    finally:
        caz.post(f"{one}/stop")
    assert only(events, "message_heard")["marker"] == message.marker
    assert only(events, "ended")["end_class"] == "answered"
    assert likeness(ear.sound, recording) > HEARD
    assert likeness(ear.sound, backwards(recording)) < NOT_HEARD
