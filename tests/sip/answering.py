"""The smallest SIP server: answers OPTIONS over UDP under a name, and nothing else."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

_COPIED = (b"via", b"from", b"to", b"call-id", b"cseq")


class AnsweringSip:
    """``with AnsweringSip("Provider") as end: end.port``."""

    def __init__(self, server: str) -> None:
        self._server = server.encode()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = int(self._socket.getsockname()[1])

    def __enter__(self) -> AnsweringSip:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                request, sender = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            lines = [each for each in request.split(b"\r\n") if each.partition(b":")[0].lower() in _COPIED]
            head = [b"SIP/2.0 200 OK", *lines, b"Server: " + self._server, b"Content-Length: 0"]
            self._socket.sendto(b"\r\n".join(head) + b"\r\n\r\n", sender)
