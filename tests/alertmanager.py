"""A real Alertmanager of a test's own, on a free loopback port, in a folder that goes away; and what it tells."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.missing import Missing
from tests.running import free_port

START_S = 30.0

CONFIG = """
route:
  receiver: hook
  group_by: [alertname, scope]
  group_wait: {group_wait}
  group_interval: {group_interval}
  repeat_interval: 4h
receivers:
  - name: hook
    webhook_configs: [{{url: "{hook}", send_resolved: true}}]
"""


class AlertmanagerMissing(Missing):
    """No Alertmanager on this machine: as root, apt-get install prometheus-alertmanager."""

    what = "ALERTMANAGER"


@dataclass
class Hook:
    """A webhook receiver: what Alertmanager told it, and when (monotonic seconds)."""

    url: str = ""
    told: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, status: str, alertname: str, within: float = START_S) -> dict[str, Any]:
        """The alert of that name with that status (``firing``, ``resolved``), once it was told of."""
        deadline = time.monotonic() + within
        with self.news:
            while True:
                for _, body in self.told:
                    for alert in body["alerts"]:
                        if (alert["status"], alert["labels"]["alertname"]) == (status, alertname):
                            return dict(alert)
                left = deadline - time.monotonic()
                assert left > 0, f"{alertname} was not told as {status}: {self.told}"
                self.news.wait(left)


class AlertmanagerServer:
    """``with AlertmanagerServer() as server: server.url, server.alerts(), server.hook.wait("firing", "name")``."""

    def __init__(self, *, group_wait: str = "0s", group_interval: str = "1s") -> None:
        binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if binary is None:
            raise AlertmanagerMissing("no Alertmanager: as root, apt-get install prometheus-alertmanager")
        self._binary = binary
        self._times = {"group_wait": group_wait, "group_interval": group_interval}
        self.hook = Hook()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="callrouter-alertmanager-")
        self._process: subprocess.Popen[bytes] | None = None
        self._receiver = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.hook))
        self._thread = threading.Thread(target=self._receiver.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> AlertmanagerServer:
        self._thread.start()
        self.hook.url = f"http://127.0.0.1:{self._receiver.server_address[1]}/"
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._receiver.shutdown()
        self._thread.join()
        self._receiver.server_close()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, or start it again with what it had written."""
        folder = Path(self._folder.name)
        (folder / "config.yaml").write_text(CONFIG.format(hook=self.hook.url, **self._times))
        command = [
            self._binary, f"--config.file={folder}/config.yaml", f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
        ]  # fmt: skip
        with (folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            over = time.monotonic() > deadline or self._process.poll() is not None
            assert not over, (folder / "server.log").read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_S)
            self._process = None

    def alerts(self) -> list[dict[str, Any]]:
        """What its API shows: alerts that fire."""
        return list(httpx.get(f"{self.url}/api/v2/alerts", timeout=START_S).json())

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=START_S).is_success
        except httpx.TransportError:
            return False


def _handler(hook: Hook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with hook.news:
                hook.told.append((time.monotonic(), body))
                hook.news.notify_all()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing on the terminal."""

    return Handler
