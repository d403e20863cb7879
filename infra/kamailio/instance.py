"""A running Kamailio of one's own in front of some Asterisks: rendered configuration, free loopback port, start, stop.

Errors:

    KamailioError
    ├── KamailioUnavailable   not installed here: skip, or go without it
    └── KamailioNotStarted    it was there and did not come up: read its log (in the message)
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).parent
START_SECONDS = 20.0
STOP_SECONDS = 5.0


class KamailioError(Exception):
    """Any failure to start or stop Kamailio."""


class KamailioUnavailable(KamailioError):
    """There is no Kamailio on this machine; the message says what to install."""


class KamailioNotStarted(KamailioError):
    """Kamailio ended or did not answer in time; the message ends with its log."""


@dataclass(frozen=True)
class KamailioSettings:
    """`asterisks` are (IPv4 address, SIP port), spread over alike; `carriers` addresses or networks that may ring us.

    `capacity`: calls in progress, 999 and 112 apart, over which new ones get 503 with `retry_after` seconds.
    `first_word_ms`: so long an Asterisk may say nothing before the next one gets the call.
    `silent_seconds` after one stopped answering, while another one answers, its calls are ended: its machine is gone.
    """

    asterisks: Sequence[tuple[str, int]]
    carriers: Sequence[str] = ("127.0.0.1",)
    capacity: int = 400
    retry_after: int = 10
    first_word_ms: int = 1000
    silent_seconds: int = 8
    address: str = "127.0.0.1"
    port: int | None = None


def find_kamailio() -> Path:
    """The program. Raises KamailioUnavailable."""
    found = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
    if found is None:
        raise KamailioUnavailable("Kamailio is not installed: as root, apt-get install kamailio")
    return Path(found)


class Kamailio:
    """One instance in a folder of its own.

    with Kamailio(folder, KamailioSettings([("127.0.0.1", 5062), ("127.0.0.1", 5064)])) as edge:
        edge.port
    """

    def __init__(self, folder: Path, settings: KamailioSettings) -> None:
        self.folder = folder.resolve()
        self.settings = settings
        self.port = settings.port or _free_port(settings.address)
        self._program = find_kamailio()
        self._process: subprocess.Popen[bytes] | None = None
        # A control socket's path may have 107 octets: pytest's folders are longer.
        self._run = Path(tempfile.mkdtemp(prefix="cr-kam-"))

    def start(self) -> None:
        """Render, start in the foreground, return when it answers OPTIONS. Raises KamailioNotStarted."""
        render(self.folder, self.settings, self.port)
        command = [str(self._program), "-DD", "-E", "-f", str(self.folder / "kamailio.cfg"), "-m", "128", "-M", "8"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [*command, "-Y", str(self._run), "-P", str(self._run / "pid")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None:
                code, self._process = self._process.returncode, None
                raise KamailioNotStarted(f"ended with code {code}\n{self.log()}")
            if time.monotonic() > deadline:
                self.stop()
                raise KamailioNotStarted(f"silent for {START_SECONDS:g} s\n{self.log()}")

    def stop(self) -> None:
        """End it, hard after five seconds. Harmless when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # Its children are of its group, and would keep the port.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self) -> str:
        """The last 4,000 characters of what it reported (faults only)."""
        file = self.folder / "log"
        return file.read_text(errors="replace")[-4000:] if file.exists() else ""

    def __enter__(self) -> Kamailio:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._run, ignore_errors=True)

    def _answers(self) -> bool:
        """Whether it says anything to OPTIONS, be it 403: our own address need not be a carrier's."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.1)
            probe.bind((self.settings.address, 0))
            own = probe.getsockname()
            here = f"{self.settings.address}:{self.port}"
            lines = [
                f"OPTIONS sip:{here} SIP/2.0",
                f"Via: SIP/2.0/UDP {own[0]}:{own[1]};branch=z9hG4bK{own[1]}",
                f"From: <sip:start@{here}>;tag=1",
                f"To: <sip:{here}>",
                f"Call-ID: {own[1]}",
                "CSeq: 1 OPTIONS",
                "Max-Forwards: 1",
                "Content-Length: 0",
            ]
            try:
                probe.sendto("\r\n".join([*lines, "", ""]).encode(), (self.settings.address, self.port))
                return probe.recv(2048).startswith(b"SIP/2.0")
            except OSError:
                return False


class _Template(string.Template):
    """`%%{name}`: `$name` is Kamailio's own."""

    delimiter = "%%"
    idpattern = r"(?!)"
    braceidpattern = r"[a-z_]+"


def render(folder: Path, settings: KamailioSettings, port: int) -> None:
    """Write the configuration, the list of Asterisks and that of carriers' addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "address": settings.address,
        "port": port,
        "capacity": settings.capacity,
        "retry_after": settings.retry_after,
        "first_word_ms": settings.first_word_ms,
        "silent_seconds": settings.silent_seconds,
        "carriers_file": folder / "carriers",
        "dispatcher_file": folder / "asterisks",
    }
    networks = (ip_network(each) for each in settings.carriers)
    (folder / "carriers").write_text("".join(f"1 {each.network_address} {each.prefixlen}\n" for each in networks))
    # Set 1 gets the calls; set 2 is the same by TCP, whose connections tell of a death.
    # Found by the address that it came from: never a name (IPv4Address raises ValueError).
    at = ((IPv4Address(host), sip) for host, sip in settings.asterisks)
    lines = (f"1 sip:{host}:{sip}\n2 sip:{host}:{sip};transport=tcp\n" for host, sip in at)
    (folder / "asterisks").write_text("".join(lines))
    text = (HERE / "kamailio.cfg").read_text()
    (folder / "kamailio.cfg").write_text(_Template(text).substitute(values))


def _free_port(address: str) -> int:
    """A port that was free a moment ago, for UDP and TCP."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind((address, 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind((address, port))
            except OSError:
                continue
            return port
