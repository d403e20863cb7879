"""Who takes notices on loopback: an SMTP relay and an HTTP receiver, which answer as a test wants."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP

from tests.canaries import look_through


@dataclass
class Relay:
    """What the SMTP server took, and how it answers a message."""

    port: int = 0
    answer: str = "250 taken"
    recipient: str = "250 known"
    mails: list[Message] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content))
            look_through("the mail server", "", self.mails[-1].items(), _words(self.mails[-1]))
            self.encrypted.append(session.ssl is not None)
        return self.answer


def _words(mail: Message) -> str:
    texts = [each.get_payload(decode=True) for each in mail.walk() if not each.is_multipart()]
    return "\n".join(each.decode() for each in texts if isinstance(each, bytes))


async def serve_smtp(relay: Relay, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    """The relay on a free port; close what is returned."""

    def connected() -> SMTP:
        return SMTP(relay, hostname="relay", tls_context=tls, require_starttls=tls is not None)

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    return server


@dataclass
class Receiver:
    """What the HTTP server was sent, and how it answers."""

    url: str = ""
    status: int = 204
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def serve_http() -> Iterator[Receiver]:
    """A receiver of webhooks on a free port."""
    got = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            look_through("the receiver of notices", self.path, self.headers.items(), content.decode())
            got.requests.append(({k.lower(): v for k, v in self.headers.items()}, content))
            self.send_response(got.status)
            if got.status == 302:
                self.send_header("Location", got.url)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        got.url = f"http://127.0.0.1:{server.server_address[1]}/notices"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield got
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """A port on which nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return int(server.server_address[1])
