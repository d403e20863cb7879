"""Notices over real sockets: an SMTP relay and an HTTP receiver on loopback, sound and failing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.notify.smtp import SmtpNotifier, SmtpSettings
from adapters.notify.webhook import WebhookNotifier, WebhookSettings
from alerts.life.service import AlertService
from alerts.life.store import AlertStore, metadata
from alerts.model import Figures, Notice, Recipient, Rule, ScopeFigures
from alerts.ports import NoticeFailed, Notifier
from infra.sql import connect_database
from tests.hand_clock import HandClock
from tests.notice_receivers import Receiver, Relay, free_port, serve_http, serve_smtp

AT = datetime(2025, 6, 2, 11, 0, tzinfo=UTC)
SECRET = "a secret of this test, and long enough"
DUTY = "duty.manager@example.nhs.invalid"

NOTICE = Notice(
    alert="longest-wait",
    id="longest-wait.20250602T110000.000000Z.fired", kind="fired", rule="longest-wait", severity="critical",
    what="Callers wait too long", where="King's 111", metric="longest_wait_s", since=AT, at=AT, value=200.0,
    worst=200.0, threshold=180.0, clear=120.0, usually_helps="More handlers.",
    link="http://localhost/wallboard", recipient=Recipient("Duty manager", "email", DUTY),
)  # fmt: skip


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1."""

    path: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.path, self.key)
        return context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return Certificate(folder / "cert.pem", folder / "key.pem")


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay()
    async with await serve_smtp(relay):
        yield relay


@pytest.fixture
async def tls_relay(certificate: Certificate) -> AsyncIterator[Relay]:
    relay = Relay()
    async with await serve_smtp(relay, certificate.context()):
        yield relay


@pytest.fixture
async def mute_port() -> AsyncIterator[int]:
    """A server that accepts and never says a word."""
    writers = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.close()
    server.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve_http() as got:
        yield got


@pytest.fixture
def closed_port() -> int:
    return free_port()


def mail(port: int, **changed: Any) -> SmtpNotifier:
    plain = SmtpSettings(host="127.0.0.1", port=port, sender="alerts@example.nhs.invalid", starttls=False)
    return SmtpNotifier(replace(plain, **changed))


def hook(timeout_s: float = 10.0) -> WebhookNotifier:
    return WebhookNotifier(WebhookSettings(secret=SECRET, timeout_s=timeout_s), HandClock(AT))


def to(url: str) -> Notice:
    return replace(NOTICE, recipient=Recipient("Control room screen", "webhook", url))


async def test_a_mail_reaches_the_named_person(relay: Relay) -> None:
    await mail(relay.port).send(NOTICE)
    (got,) = relay.mails
    assert got["To"] == DUTY
    assert got["Subject"] == "[CRITICAL] Callers wait too long: King's 111, 3 min 20 s"
    assert got["Message-ID"] == f"<{NOTICE.id}@callrouter.invalid>"
    assert got["Auto-Submitted"] == "auto-generated"
    text = got.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert b"What usually helps: More handlers." in text
    assert b"Look here: http://localhost/wallboard" in text


async def test_with_starttls_the_mail_is_encrypted(tls_relay: Relay, certificate: Certificate) -> None:
    await mail(tls_relay.port, starttls=True, ca_file=certificate.path).send(NOTICE)
    assert tls_relay.encrypted == [True]


async def test_a_relay_with_an_unknown_certificate_gets_nothing(tls_relay: Relay) -> None:
    with pytest.raises(NoticeFailed):
        await mail(tls_relay.port, starttls=True).send(NOTICE)
    assert tls_relay.mails == []


async def test_a_relay_without_starttls_gets_nothing_in_clear(relay: Relay) -> None:
    with pytest.raises(NoticeFailed):
        await mail(relay.port, starttls=True).send(NOTICE)
    assert relay.mails == []


def test_a_password_is_never_sent_in_clear() -> None:
    with pytest.raises(ValueError, match="starttls"):
        SmtpSettings(host="relay", port=25, sender="a@b", starttls=False, username="u", password="p")


@pytest.mark.parametrize(
    ("answer", "recipient", "error_id", "final"),
    [
        ("451 try later", "250 known", "smtp_refused_451", False),
        ("554 no", "250 known", "smtp_refused_554", False),
        ("250 taken", "450 not now", "smtp_recipient_refused", False),
        ("250 taken", "550 nobody of that name", "smtp_recipient_bounced", True),
    ],
)
async def test_a_relay_that_refuses_is_told_by_its_code_without_an_address(
    relay: Relay, answer: str, recipient: str, error_id: str, final: bool
) -> None:
    relay.answer, relay.recipient = answer, recipient
    with pytest.raises(NoticeFailed) as failed:
        await mail(relay.port).send(NOTICE)
    assert (failed.value.error_id, str(failed.value), failed.value.final) == (error_id, error_id, final)


async def test_a_relay_that_is_not_there(closed_port: int) -> None:
    with pytest.raises(NoticeFailed, match="smtp_unreachable"):
        await mail(closed_port).send(NOTICE)


async def test_a_relay_that_says_nothing(mute_port: int) -> None:
    with pytest.raises(NoticeFailed, match="smtp_timed_out"):
        await mail(mute_port, timeout_s=0.05).send(NOTICE)


async def test_a_webhook_gets_signed_json(receiver: Receiver) -> None:
    await hook().send(to(receiver.url))
    ((headers, content),) = receiver.requests
    signed = headers["x-callrouter-timestamp"].encode() + b"." + content
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-callrouter-signature"] == f"sha256={expected}"
    assert headers["x-callrouter-timestamp"] == str(int(AT.timestamp()))
    assert headers["x-callrouter-notice"] == NOTICE.id
    data = json.loads(content)
    assert (data["kind"], data["where"], data["value"]) == ("fired", "King's 111", 200.0)
    assert (data["since"], data["recipient"]) == ("2025-06-02T11:00:00+00:00", "Control room screen")


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_any_answer_but_2xx_is_a_failure(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(NoticeFailed, match=f"webhook_refused_{status}"):
        await hook().send(to(receiver.url))
    assert len(receiver.requests) == 1


async def test_a_receiver_that_has_gone_is_not_tried_again(receiver: Receiver) -> None:
    receiver.status = 410
    with pytest.raises(NoticeFailed, match="webhook_gone") as failed:
        await hook().send(to(receiver.url))
    assert failed.value.final


async def test_a_receiver_whose_answer_never_ends_holds_nobody_up() -> None:
    """Its head came in time; of the endless body nothing is read."""
    over = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n.")
        await over.wait()
        writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server:
        await hook().send(to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
        over.set()


async def test_a_receiver_that_is_not_there(closed_port: int) -> None:
    with pytest.raises(NoticeFailed, match="webhook_unreachable"):
        await hook().send(to(f"http://127.0.0.1:{closed_port}/"))


async def test_a_receiver_that_says_nothing(mute_port: int) -> None:
    with pytest.raises(NoticeFailed, match="webhook_timed_out"):
        await hook(timeout_s=0.05).send(to(f"http://127.0.0.1:{mute_port}/"))


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        WebhookSettings(secret="short")


async def test_a_broken_relay_neither_stops_the_webhook_nor_goes_unlogged(
    relay: Relay, receiver: Receiver, tmp_path: Path
) -> None:
    """From figures to both channels: the relay refuses until it is given up, and then works for the end."""
    rule = Rule(
        name="longest-wait", title="Callers wait too long", metric="longest_wait_s",
        threshold=180, clear=120, for_s=30, severity="critical", usually_helps="More handlers.",
        source="a test", link="http://localhost/wallboard",
        who=(NOTICE.recipient, Recipient("Control room screen", "webhook", receiver.url)),
    )  # fmt: skip
    clock = HandClock(AT)
    wait_s = 200.0

    def figures() -> Figures:
        return Figures(clock.now(), ScopeFigures(scope="total", name="All", longest_wait_s=wait_s), ())

    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(metadata.create_all)
    channels: dict[str, Notifier] = {"email": mail(relay.port), "webhook": hook()}
    service = AlertService([rule], figures, channels, AlertStore(database), clock)
    relay.answer = "451 try later"
    with structlog.testing.capture_logs() as logs:
        for clock.passed in range(0, 200, 2):
            await service.tick()
        wait_s, relay.answer = 0.0, "250 taken"
        await service.tick()
    await database.close()
    assert [json.loads(content)["kind"] for _, content in receiver.requests] == ["fired", "cleared"]
    assert [got["Subject"][:9] for got in relay.mails] == ["[CLEARED]"]
    assert [each["error_id"] for each in logs if each["event"] == "notice_failed"] == ["smtp_refused_451"]
