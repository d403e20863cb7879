"""The alert auditor and the service as processes: probes come home, and people are told when one of the two dies.

Each link on a hand clock is in tests/integration/test_auditor_links.py, a probe that comes home to a process in
test_up.py: these are the longer form. Here probes come every few seconds.
"""

from __future__ import annotations

import queue
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from tests.missing import or_skip
from tests.postgres import Postgres
from tests.redis_server import RedisServer
from tests.running import START_S, RunningService, free_port
from tests.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

EVERY_S, SILENT_S = "1", "20"
SOON_S = 90.0  # people are told SILENT_S after a death; the rest is for a busy machine

RULES = """
link: http://127.0.0.1/
alerts:
  - name: auditor-silent
    title: The alert auditor makes no probe calls
    metric: auditor_silent
    threshold: 25
    for_s: 0
    clear_below: 20
    severity: critical
    usually_helps: Start it again.
    source: test
    who:
      - {name: Duty manager, email: duty.manager@example.nhs.invalid}
"""


class RunningAuditor(RunningService):
    """``callrouter auditor`` with these settings; started once its page answers."""

    COMMAND = "auditor"

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/live", timeout=5).json()
        return found

    def until(self, name: str, at_least: float) -> None:
        """Wait until its page says so: it has no event for it."""
        deadline = time.monotonic() + SOON_S
        while (report := self.report())[name] < at_least:
            assert time.monotonic() < deadline, f"{report}\n{self.log.read_text()[-1500:]}"
            time.sleep(0.2)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                self.report()
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise AssertionError(self.log.read_text()[-1500:])


@dataclass
class House:
    """Both processes and the mailbox of whoever is told, which is one for the two of them."""

    service: RunningService
    auditor: RunningAuditor
    mails: queue.Queue[EmailMessage]

    def next_subject(self) -> str:
        """Of the next mail, its lines joined."""
        return " ".join(str(self.mails.get(timeout=SOON_S)["Subject"]).split())


@pytest.fixture
def mailbox() -> Iterator[tuple[queue.Queue[EmailMessage], int]]:
    mails: queue.Queue[EmailMessage] = queue.Queue()

    class Keep(Message):
        def handle_message(self, message: EmailMessage) -> None:
            mails.put(message)

    server = Controller(Keep(), hostname="127.0.0.1", port=free_port())
    server.start()
    yield mails, server.port
    server.stop()


@pytest.fixture
def house(tmp_path: Path, mailbox: tuple[queue.Queue[EmailMessage], int]) -> Iterator[House]:
    with a_house(tmp_path, mailbox, {}) as house:
        yield house


class a_house:  # noqa: N801 - a context manager that reads as a function
    """Both processes, going: a probe has come home."""

    def __init__(
        self, folder: Path, mailbox: tuple[queue.Queue[EmailMessage], int], settings: Mapping[str, str]
    ) -> None:
        mails, smtp = mailbox
        (folder / "alerts.yaml").write_text(RULES)
        shared = {
            "WEBHOOK_SECRET": "a secret of the tests, long enough to sign",
            "AUDITOR_EVERY_S": EVERY_S,
            "AUDITOR_SILENT_S": SILENT_S,
            "AUDITOR_EMAIL": "duty.manager@example.nhs.invalid",
            "AUDITOR_SMTP_HOST": "127.0.0.1",
            "AUDITOR_SMTP_PORT": str(smtp),
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(smtp),
            "ALERT_RULES_FILE": str(folder / "alerts.yaml"),
            **settings,
        }
        auditor = RunningAuditor(folder, shared)
        own = {"AUDITOR_URL": f"{auditor.url}/notices", "AUDITOR_LISTEN": auditor.url.removeprefix("http://")}
        service = RunningService(folder, shared | own)
        auditor.environment |= {f"CALLROUTER_{name}": value for name, value in own.items()}
        auditor.environment["CALLROUTER_PORT"] = str(service.port)
        auditor.log = folder / "auditor.log"
        self._house = House(service, auditor, mails)

    def __enter__(self) -> House:
        house = self._house
        house.service.__enter__()
        house.auditor.__enter__()
        house.auditor.until("notices", 1)
        assert house.mails.empty()
        return house

    def __exit__(self, *_: object) -> None:
        self._house.auditor.stop()
        self._house.service.stop()


def test_probes_come_home_are_nobodys_calls_and_a_dead_service_is_told(house: House) -> None:
    with closing(sqlite3.connect(house.service.folder / "data" / "callrouter.db")) as records:
        for table in ("encounters", "short_calls", "welfare_tasks"):
            assert records.execute(f"select count(*) from {table}").fetchone() == (0,)
    house.service.kill()
    assert house.next_subject().startswith("[CRITICAL] Alerts of the service do not arrive: Alert auditor: probe calls")
    assert house.auditor.report()["fired"]


def test_a_service_that_hangs_is_told_and_so_is_its_return(house: House) -> None:
    listed = house.service.run("call", "list").stdout.splitlines()
    assert listed
    assert {line.split()[3] for line in listed} == {"probe"}
    house.service.signal(SIGSTOP)
    fired = house.next_subject()
    house.service.signal(SIGCONT)
    assert "Alerts of the service do not arrive" in fired
    assert "CLEARED" in house.next_subject()


def test_an_auditor_that_is_killed_is_told_by_the_service(house: House) -> None:
    house.auditor.kill()
    assert house.next_subject().startswith("[CRITICAL] The alert auditor makes no probe calls: Alert auditor")
    house.auditor.__enter__()
    assert house.next_subject().startswith("[CLEARED] The alert auditor makes no probe calls")


def test_notices_that_nobody_takes_are_told(tmp_path: Path, mailbox: tuple[queue.Queue[EmailMessage], int]) -> None:
    with a_house(tmp_path, mailbox, {}) as house:
        house.auditor.stop()  # the next one listens elsewhere: the service's channel finds nobody
        elsewhere = free_port()
        house.auditor.environment["CALLROUTER_AUDITOR_LISTEN"] = f"127.0.0.1:{elsewhere}"
        house.auditor.url = f"http://127.0.0.1:{elsewhere}"
        house.auditor.__enter__()
        assert "probe calls are taken, their notices do not arrive" in house.next_subject()


def test_a_redis_that_dies_is_told_and_so_is_its_return(
    tmp_path: Path, mailbox: tuple[queue.Queue[EmailMessage], int]
) -> None:
    with or_skip(), RedisServer() as redis, a_house(tmp_path, mailbox, {"REDIS_URL": redis.url}) as house:
        redis.kill()
        assert "Alerts of the service do not arrive" in house.next_subject()
        redis.start()
        assert "CLEARED" in house.next_subject()


def test_a_database_that_is_cut_off_silences_no_alert(
    tmp_path: Path, mailbox: tuple[queue.Queue[EmailMessage], int], postgres: Postgres
) -> None:
    port = int(postgres.url.rpartition(":")[2].partition("/")[0])
    with Wire(port) as wire:
        database = postgres.url.replace(f":{port}/", f":{wire.port}/")
        with a_house(tmp_path, mailbox, {"DATABASE_URL": database}) as house:
            wire.cut()
            before = house.auditor.report()["notices"]
            house.auditor.until("notices", before + 8)  # twice as long as the switch waits
            assert not house.auditor.report()["fired"]
            wire.mend()
        assert house.mails.empty()
