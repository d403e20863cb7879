"""The whole service through its front doors: a call, its page, the wallboard, a repeat caller, one alert."""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from dialling import TerminalCall
from e2e_browser import FindBarriers, OpenTab, Shoot
from playwright.sync_api import Page, expect

from tests.running import ROOT, RunningService, free_port

DEMO_PLANS = ROOT / "careplans/demo.csv"
STALE_PLAN_NUMBER = "+441632960120"
HANDLER_LINE = "oxygen at home"
RIGHT = ("5", "5", "1962")
STARTED_S = 60.0
"""Until a process has begun that makes a call: seconds, and more on a busy machine."""

WRONG = ("6", "5", "1962")

ONE_LINE_FOR_111 = """
providers:
  - {id: north, name: North London 111, services: ["111"], tel: "+442079460101", lines: 1, answers: agent}
  - {id: clinicians, name: London clinicians, services: [clinician], tel: "+442079460110", answers: agent}
  - {id: minds, name: Mental health line, services: [mental_health], tel: "+442079460120", answers: agent}
  - {id: teeth, name: London dental line, services: [dental], tel: "+442079460130", answers: agent}
  - {id: chemists, name: London pharmacists, services: [pharmacy], tel: "+442079460140", answers: agent}
  - {id: teams, name: Plan teams, services: [frailty, crisis, ms_nurse, palliative], tel: "+442079460150"}
"""
WAITS_TOO_LONG = """
link: http://127.0.0.1/
alerts:
  - name: longest-wait
    title: Callers wait too long for a person
    metric: longest_wait_s
    threshold: 2
    for_s: 1
    clear_below: 1
    severity: warning
    usually_helps: Ask for more call handlers.
    source: test
    who:
      - {name: Duty manager, email: duty.manager@example.nhs.invalid}
      - {name: Control room, webhook: "http://127.0.0.1:%d/notices"}
"""


@dataclass
class Post:
    """What the duty manager's mailbox and the control room's webhook received."""

    mails: queue.Queue[EmailMessage]
    hooks: queue.Queue[dict[str, object]]
    smtp_port: int
    hook_port: int


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """A real mail server and a real webhook receiver on free loopback ports."""
    mails: queue.Queue[EmailMessage] = queue.Queue()
    hooks: queue.Queue[dict[str, object]] = queue.Queue()

    class Keep(Message):
        def handle_message(self, message: EmailMessage) -> None:
            mails.put(message)

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hooks.put(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mail = Controller(Keep(), hostname="127.0.0.1", port=free_port())
    mail.start()
    yield Post(mails, hooks, mail.port, server.server_address[1])
    mail.stop()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, post: Post) -> Iterator[RunningService]:
    """One line at 111, the demo's plans, staff to be told after two seconds of waiting."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "providers.yaml").write_text(ONE_LINE_FOR_111)
    (folder / "alerts.yaml").write_text(WAITS_TOO_LONG % post.hook_port)
    settings = {
        "PROVIDERS_FILE": str(folder / "providers.yaml"),
        "ALERT_RULES_FILE": str(folder / "alerts.yaml"),
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(post.smtp_port),
        "WEBHOOK_SECRET": "a secret of the tests, long enough to sign",
        "OPEN_WALLBOARD": "true",
    }
    with RunningService(folder, settings) as running:
        imported = running.run("plan", "import", str(DEMO_PLANS))
        assert imported.returncode == 0, imported.stdout + imported.stderr
        yield running


def sign_in(page: Page, service: RunningService, role: str) -> None:
    page.goto(f"{service.url}/sign-in")
    page.get_by_label("Your name").fill("Robin Handler")
    page.get_by_label(role, exact=True).check()
    page.get_by_role("button", name="Sign in").click()


def newest_context(service: RunningService) -> str:
    return service.run("call", "list", "--limit", "1").stdout.split()[-1]


def check(page: Page, day: str, month: str, year: str) -> None:
    page.get_by_label("Day", exact=True).fill(day)
    page.get_by_label("Month", exact=True).fill(month)
    page.get_by_label("Year", exact=True).fill(year)
    page.get_by_role("button", name="Check and open").click()


@pytest.mark.slow
def test_the_page_of_a_call_opens_the_plan_only_after_the_check(
    service: RunningService, open_tab: OpenTab, shoot: Shoot
) -> None:
    board = open_tab(f"{service.url}/")
    sign_in(board, service, "Clinician")  # who sees a count under 5
    board.goto(f"{service.url}/")
    row = board.get_by_role("row").filter(has_text="North London 111").first
    expect(row.get_by_role("cell").first).to_have_text("0")
    with TerminalCall(service, STALE_PLAN_NUMBER) as call:
        call.wait("press 1, or stay on the line")
        call.type("1")
        call.wait("connected to North London 111")
        expect(row.get_by_role("cell").first).to_have_text("1")
        shoot(board, "wallboard-live")
        page = open_tab(f"{service.url}/")
        sign_in(page, service, "Call handler")
        page.goto(f"{service.url}/calls/{newest_context(service)}")
        expect(page.get_by_role("heading", name="1 possible plan")).to_be_visible()
        assert HANDLER_LINE not in page.content()
        shoot(page, "call-page-closed")
        check(page, *WRONG)
        assert HANDLER_LINE not in page.content()
        check(page, *RIGHT)
        expect(page.get_by_text(HANDLER_LINE)).to_be_visible()
        expect(page.get_by_text("Out of date")).to_be_visible()
        assert "Home oxygen, COPD" not in page.content(), "clinical detail is for clinicians only"
        shoot(page, "call-page-open")
        call.hang_up()
    events = service.ended_events(newest_context(service))
    assert events[-1]["end_class"] == "answered"
    assert any(each["kind"] == "context_opened" for each in events)


@pytest.mark.slow
def test_the_third_call_in_four_days_is_offered_to_a_clinician(service: RunningService) -> None:
    number = "+447700900555"
    for _ in range(2):
        with TerminalCall(service, number) as call:
            call.wait("stay on the line")
            call.type("1")
            call.wait("connected to North London 111")
            call.hang_up()
    with TerminalCall(service, number) as call:
        call.wait("stay on the line")
        call.type("1")
        call.wait("connected to London clinicians")
        call.hang_up()
    events = service.ended_events(newest_context(service))
    repeat = next(each for each in events if each["kind"] == "looked_up" and each["what"] == "repeat")
    assert (repeat["outcome"], repeat["reason"]) == ("PRC", "by_number")
    assert next(each for each in events if each["kind"] == "queued")["band"] == "raised"


def test_staff_are_told_of_a_long_wait_one_takes_it_on_and_all_hear_that_it_is_over(
    service: RunningService, post: Post, open_tab: OpenTab, find_barriers: FindBarriers, shoot: Shoot
) -> None:
    with TerminalCall(service, "+447700900601") as talking:
        talking.wait("stay on the line", STARTED_S)
        talking.type("1")
        talking.wait("connected to North London 111")
        with TerminalCall(service, "+447700900602") as waiting:
            waiting.wait("stay on the line", STARTED_S)
            waiting.type("1")
            waiting.wait("next free call handler")
            fired = post.mails.get(timeout=30)
            said = fired.get_payload(decode=True).decode()
            link = re.search(r"^Look here: http://127.0.0.1(\S+)", said, re.MULTILINE)
            assert link is not None
            page = open_tab(f"{service.url}{link[1]}")  # leads over the sign-in back to the alert
            page.get_by_label("Your name").fill("Cara Commissioner")
            page.get_by_label("Commissioner", exact=True).check()
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("heading", name="Callers wait too long for a person")).to_be_visible()
            assert find_barriers(page) == []
            shoot(page, "alert")
            page.get_by_role("button", name="Take it on").press("Enter")
            expect(page.get_by_role("status")).to_contain_text("Cara Commissioner took it on")
            waiting.hang_up()
        cleared = post.mails.get(timeout=30)
        talking.hang_up()
    page.get_by_role("link", name="All alerts").click()
    expect(page.get_by_text("Nothing fires.")).to_be_visible()
    assert find_barriers(page) == []
    shoot(page, "alerts")
    assert "Callers wait too long" in str(fired["Subject"])
    assert fired["Subject"] != cleared["Subject"]
    hooks = [post.hooks.get(timeout=10) for _ in range(2)]
    assert [each["kind"] for each in hooks] == ["fired", "cleared"]
    for text in (fired.as_string(), cleared.as_string(), json.dumps(hooks)):
        assert "900601" not in text
        assert "900602" not in text
    assert post.mails.empty()
    assert post.hooks.empty()


def test_nothing_personal_is_in_the_logs_or_in_clear_in_the_database(service: RunningService) -> None:
    data = b"".join(file.read_bytes() for file in Path(service.folder / "data").glob("callrouter.db*"))
    log = service.log.read_bytes()
    for secret in (b"900555", b"900601", b"1632960120", b"Specimen", b"oxygen", b"9990000085", b"Robin"):
        assert secret not in log
        assert secret not in data
