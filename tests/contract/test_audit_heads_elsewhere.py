"""Signed ends of the audit posted to another house: kept there before they are noted here, or not called signed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from careplans.audit.chain import What
from careplans.audit.heads import HeadFile, HeadSigner, read_heads
from careplans.audit.heads_http import HeadWebhook
from careplans.audit.keeping import HEADS, HeadLoop
from careplans.audit.trail import AuditTrail
from careplans.audit.verify import verify
from careplans.model import Viewer
from infra.crypto import KeyRing
from infra.health import Health
from infra.sql import Database
from tests.canaries import look_through
from tests.hand_clock import HandClock

TOKEN = "a-token-of-the-tests-and-nothing-else"
SIGNER = HeadSigner(b"s" * 32)
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


class Receiver(ThreadingHTTPServer):
    """Another house: adds what bears its token to a file, while it is not ``full``."""

    daemon_threads = True

    def __init__(self, file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.file = file
        self.full = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/heads"


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        house = cast(Receiver, self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        look_through("the other house", self.path, self.headers.items(), body.decode())
        allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
        if allowed and not house.full:
            with house.file.open("ab") as file:
                file.write(body)
        self.send_response(507 if house.full else 204 if allowed else 403)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path / "another-house") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def grow(database: Database, clock: HandClock) -> None:
    trail = AuditTrail(database, KeyRing(b"m" * 32, b"i" * 32), clock)
    viewer = Viewer("zzclinician", "clinician")
    await trail.record(viewer, trail.entries(viewer, What.OPENED, ["a" * 32]))


async def test_what_was_signed_stands_in_another_house_before_it_is_noted_here(
    database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    clock, own = HandClock(datetime(2026, 6, 15, 12, tzinfo=UTC)), tmp_path / "own"
    health = Health(clock)
    keepers = [HeadWebhook(receiver.url, TOKEN), HeadFile(own)]
    heads = HeadLoop(database, SIGNER, keepers, clock, health)
    await grow(database, clock)
    receiver.full = True
    with pytest.raises(OSError, match="refused: 507"):
        await heads.step(0)
    assert not health.works(HEADS)
    assert not own.exists()
    receiver.full = False
    await heads.step(0)
    assert health.works(HEADS)
    elsewhere, odd = read_heads(receiver.file)
    assert ([each.length for each in elsewhere], odd) == ([1], [])
    now = clock.now()
    verdict = await database.read(lambda connection: verify(connection, elsewhere, SIGNER.publics, now))
    assert (verdict.faults, verdict.signed_to) == ([], 1)


async def test_who_does_not_answer_or_know_the_token_is_told_without_the_address(
    database: Database, receiver: Receiver
) -> None:
    clock = HandClock(datetime(2026, 6, 15, 12, tzinfo=UTC))
    await grow(database, clock)
    for keeper, said in (
        (HeadWebhook(receiver.url, "another"), "refused: 403"),
        (HeadWebhook("http://127.0.0.1:1/zzsecret", TOKEN), "did not answer"),
    ):
        with pytest.raises(OSError, match=said) as refused:
            await HeadLoop(database, SIGNER, [keeper], clock, Health(clock)).step(0)
        assert "zzsecret" not in str(refused.value)
