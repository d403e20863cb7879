"""A provider on TLS, with a certificate of its own making: answers OPTIONS, notes INVITEs and refuses them (486)."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = "127.0.0.1"
COPIED = ("via", "from", "to", "call-id", "cseq")


class TlsProvider:
    """`with TlsProvider(folder) as provider: provider.port, provider.certificate, provider.invites`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        _certify(self.certificate, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.invites: list[str] = []
        self._context = context
        self._news = threading.Condition()
        self._listening = socket.create_server((LOOPBACK, 0))
        self._open: list[ssl.SSLSocket] = []
        self.port: int = self._listening.getsockname()[1]

    def wait_invite(self, within: float = 10.0) -> str:
        """The first INVITE, whole."""
        with self._news:
            if not self._news.wait_for(lambda: bool(self.invites), within):
                raise AssertionError("no INVITE came by TLS")
            return self.invites[0]

    def __enter__(self) -> TlsProvider:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                secured = self._context.wrap_socket(plain, server_side=True)
                self._open.append(secured)
                threading.Thread(target=self._serve, args=(secured,), daemon=True).start()

    def _serve(self, connection: ssl.SSLSocket) -> None:
        waiting = ""
        with contextlib.suppress(OSError, ValueError):
            while more := connection.recv(65536):
                waiting += more.decode(errors="replace")
                while (message := _whole(waiting)) is not None:
                    waiting = waiting[len(message) :]
                    self._hear(connection, message)

    def _hear(self, connection: ssl.SSLSocket, message: str) -> None:
        if message.startswith("ACK"):
            return
        status = "200 OK"
        if message.startswith("INVITE"):
            status = "486 Busy Here"
            with self._news:
                self.invites.append(message)
                self._news.notify_all()
        kept = [line for line in message.split("\r\n") if line.partition(":")[0].lower() in COPIED]
        answer = "\r\n".join([f"SIP/2.0 {status}", *kept, "Content-Length: 0", "", ""])
        connection.sendall(answer.encode())


def _whole(text: str) -> str | None:
    head, found, _ = text.partition("\r\n\r\n")
    if not found:
        return None
    length = re.search(r"^content-length:\s*(\d+)", head, re.IGNORECASE | re.MULTILINE)
    size = len(head) + 4 + (int(length[1]) if length else 0)
    return text[:size] if len(text) >= size else None


def _certify(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOOPBACK)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
