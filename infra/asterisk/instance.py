"""A running Asterisk of one's own: rendered configuration, free loopback ports, start, stop.

Errors:

    AsteriskError
    ├── AsteriskUnavailable   no Asterisk can be had here: skip, or go without it
    └── AsteriskNotStarted    it was there and did not come up: read its log (named in the message)
"""

from __future__ import annotations

import http.client
import secrets
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

from infra.asterisk.tone import soft_tone

HERE = Path(__file__).parent
TEMPLATES = HERE / "etc"
# Measured at 0.35-0.7 s; a machine busy with a whole test suite is slower.
START_SECONDS = 20.0
STOP_SECONDS = 5.0
# Each call takes an RTP and an RTCP port for each of its two legs.
RTP_PORTS = 400
# Asterisk reports each of these as an error when it is absent; an empty one gives the same defaults in silence.
LEFT_EMPTY = (
    "acl.conf",
    "ccss.conf",
    "chan_websocket.conf",
    "features.conf",
    "pjproject.conf",
    "udptl.conf",
    "websocket_client.conf",
)


class AsteriskError(Exception):
    """Any failure to get, start or stop Asterisk."""


class AsteriskUnavailable(AsteriskError):
    """No Asterisk >= 22.7 can be had on this machine; the message says why and what to do."""


class AsteriskNotStarted(AsteriskError):
    """Asterisk ended or did not answer in time; the message ends with its log."""


@dataclass(frozen=True)
class Provider:
    """Where a provider is rung: its id ([a-z0-9-]{1,30}) becomes the endpoint `provider-<id>`.

    `trusted` providers are shown identities that the caller withheld (RFC 3325 trust domain). Over `udp` an INVITE of
    more than 1,300 octets goes by TCP, and by UDP after all where TCP is refused. `media_encryption` `sdes` is SRTP
    with its keys in the SDP (RFC 4568): only with `tls`.
    """

    id: str
    host: str
    port: int = 5060
    transport: Literal["udp", "tcp", "tls"] = "udp"
    trusted: bool = False
    media_encryption: Literal["no", "sdes"] = "no"

    def __post_init__(self) -> None:
        if self.media_encryption == "sdes" and self.transport != "tls":
            raise ValueError(f"provider {self.id}: keys of the sound would go in clear; sdes needs tls")


@dataclass(frozen=True)
class Installation:
    """An Asterisk that can be run: its launcher, its modules and its data (documentation, core sounds)."""

    launcher: Path
    modules: Path
    data: Path


@dataclass(frozen=True)
class Ports:
    """Loopback ports; SIP is UDP and TCP on one number."""

    sip: int
    ari: int
    ami: int
    rtp_first: int
    rtp_last: int


@dataclass(frozen=True)
class AsteriskSettings:
    """What differs between two instances. Seconds are whole seconds; `lease` may be a fraction."""

    providers: Sequence[Provider]
    default_provider: str
    emergency_provider: str | None = None
    carriers: Sequence[str] = ("127.0.0.1",)
    ring_seconds: int = 20
    capacity: int = 200
    lease: float = 2.0
    ari_user: str = "callrouter"
    ari_password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    # Played as `sound:prompts/<name>`; an absolute path without ending works too.
    prompts: Path | None = None
    # Audio files without ending, played in turn; none: a soft tone every five seconds.
    hold_music: Sequence[Path] = ()
    announcement: str = "im-sorry&all-circuits-busy-now&please-try-call-later"
    sip_address: str = "127.0.0.1"
    # Whose signatures on providers' TLS certificates count; the machine's own list unless said otherwise.
    tls_ca_file: Path = Path("/etc/ssl/certs/ca-certificates.crt")
    ports: Ports | None = None


def find_installation() -> Installation:
    """Run `install.sh` (minutes on the first run of a machine, else at once).

    Raises AsteriskUnavailable with the script's own words.
    """
    found = subprocess.run(["bash", str(HERE / "install.sh")], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if found.returncode != 0:
        raise AsteriskUnavailable(found.stderr.strip() or "install.sh failed without a word")
    launcher = Path(found.stdout.strip())
    layout = launcher.with_name("layout")
    if layout.exists():
        places = dict(line.split("=", 1) for line in layout.read_text().split())
        return Installation(launcher, launcher.parent / places["modules"], launcher.parent / places["data"])
    for modules in (*Path("/usr/lib").glob("*/asterisk/modules"), Path("/usr/lib/asterisk/modules")):
        for data in (Path("/usr/share/asterisk"), Path("/var/lib/asterisk")):
            if modules.is_dir() and (data / "rest-api").is_dir():
                return Installation(launcher, modules, data)
    raise AsteriskUnavailable(f"{launcher} is there, but its modules or its rest-api folder were not found")


class Asterisk:
    """One instance in a folder of its own. Starting it again in the same folder keeps its AstDB.

    with Asterisk(folder, settings, find_installation()) as asterisk:
        asterisk.ports.sip, asterisk.ari_url, asterisk.cli("core show channels")
    """

    def __init__(self, folder: Path, settings: AsteriskSettings, installation: Installation) -> None:
        self.folder = folder.resolve()
        self.settings = settings
        self.installation = installation
        self.ports = settings.ports or free_ports(settings.sip_address)
        self._process: subprocess.Popen[bytes] | None = None
        # A control socket's path may have 107 octets: pytest's folders are longer.
        self._run = Path(tempfile.mkdtemp(prefix="cr-ast-"))

    @property
    def ari_url(self) -> str:
        """Base of ARI, without a slash at the end: `http://127.0.0.1:<port>/ari`."""
        return f"http://127.0.0.1:{self.ports.ari}/ari"

    @property
    def pid(self) -> int:
        """Process id of Asterisk itself. Raises AsteriskNotStarted when it is not running."""
        if self._process is None:
            raise AsteriskNotStarted("not started")
        return self._process.pid

    def start(self) -> None:
        """Render, start in the foreground, return when ARI answers. Raises AsteriskNotStarted."""
        render(self.folder, self._run, self.settings, self.ports, self.installation)
        with (self.folder / "log" / "console").open("ab") as console:
            self._process = subprocess.Popen(  # noqa: S603
                [str(self.installation.launcher), "-f", "-C", str(self.folder / "etc" / "asterisk.conf")],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            try:
                # The pause between two tries; it ends at once when the process does.
                code = self._process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                self.stop()
                raise AsteriskNotStarted(f"ARI silent for {START_SECONDS:g} s\n{self.log()}") from None
            self._process = None
            raise AsteriskNotStarted(f"ended with code {code}\n{self.log()}")

    def stop(self) -> None:
        """End it by its pid, hard after five seconds. Harmless when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def cli(self, command: str) -> str:
        """The output of one command of Asterisk's own command line. Raises AsteriskError."""
        done = subprocess.run(  # noqa: S603
            [str(self.installation.launcher), "-C", str(self.folder / "etc" / "asterisk.conf"), "-rx", command],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        if done.returncode != 0:
            raise AsteriskError(f"{command!r}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def log(self) -> str:
        """The last 4,000 characters of what it reported (faults only)."""
        texts = (self.folder / "log" / name for name in ("console", "messages"))
        return "\n".join(text.read_text(errors="replace") for text in texts if text.exists())[-4000:]

    def __enter__(self) -> Asterisk:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._run, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        login = b64encode(f"{self.settings.ari_user}:{self.settings.ari_password}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.ari, timeout=1)
        try:
            connection.request("GET", "/ari/asterisk/ping", headers={"Authorization": f"Basic {login}"})
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


class _Template(string.Template):
    """`%%{name}`: a dialplan is full of `${…}`."""

    delimiter = "%%"
    idpattern = r"(?!)"
    braceidpattern = r"[a-z_]+"


def render(folder: Path, run: Path, settings: AsteriskSettings, ports: Ports, installation: Installation) -> None:
    """Write the configuration and make the folders; what a run has left (AstDB, logs) stays."""
    for name in ("etc", "log", "var/lib/keys", "var/spool", "var/agi", "var/sbin", "data/sounds"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _link_data(folder / "data", settings, installation)
    music = list(settings.hold_music) or [soft_tone(folder / "data" / "hold.wav").with_suffix("")]
    values = {
        "etc": folder / "etc",
        "modules": installation.modules,
        "var": folder / "var",
        "data": folder / "data",
        "run": run,
        "log": folder / "log",
        "name": "callrouter",
        "ari_port": ports.ari,
        "ami_port": ports.ami,
        "sip_port": ports.sip,
        "sip_address": settings.sip_address,
        "rtp_first": ports.rtp_first,
        "rtp_last": ports.rtp_last,
        "ari_user": settings.ari_user,
        "ari_password": settings.ari_password,
        "lease": f"{settings.lease:g}",
        "capacity": settings.capacity,
        "ring_seconds": settings.ring_seconds,
        "default_provider": settings.default_provider,
        "emergency_provider": settings.emergency_provider or settings.default_provider,
        "announcement": settings.announcement,
        "carrier_matches": "\n".join(f"match = {address}" for address in settings.carriers),
        "hold_music": "\n".join(f"entry = {path}" for path in music),
        "tls": _tls(settings),
        "providers": "\n".join(_provider(each) for each in settings.providers),
    }
    for name in LEFT_EMPTY:
        (folder / "etc" / name).touch()
    for template in sorted(TEMPLATES.glob("*.conf")):
        target = folder / "etc" / template.name
        target.touch(mode=0o600)
        target.write_text(_Template(template.read_text()).substitute(values))


def _provider(provider: Provider) -> str:
    name = f"provider-{provider.id}"
    trusted = "yes" if provider.trusted else "no"
    # A transport that is named is never left, not even by an INVITE too long for UDP.
    transport, parameter = "", ""
    if provider.transport != "udp":
        transport = f"transport = {provider.transport}\n"
        parameter = f"\\;transport={provider.transport}"
    return (
        f"[{name}](provider)\naors = {name}\n{transport}media_encryption = {provider.media_encryption}\n"
        f"trust_id_outbound = {trusted}\nset_var = TRUSTED={trusted}\n"
        f"[{name}](provider-contact)\n"
        f"contact = sip:{provider.host}:{provider.port}{parameter}\n"
    )


def _tls(settings: AsteriskSettings) -> str:
    """The transport that rings providers by TLS, if there are any: nobody is listened to on it."""
    if all(provider.transport != "tls" for provider in settings.providers):
        return ""
    return (
        f"[tls]\ntype = transport\nprotocol = tls\nbind = {settings.sip_address}:0\n"
        f"method = tlsv1_2\nverify_server = yes\nca_list_file = {settings.tls_ca_file}\n"
    )


def _link_data(data: Path, settings: AsteriskSettings, installation: Installation) -> None:
    """Documentation and core sounds from the installation, prompts from their own folder."""
    wanted = {data / each.name: each for each in installation.data.iterdir() if each.name != "sounds"}
    wanted[data / "sounds" / "en"] = installation.data / "sounds" / "en"
    if settings.prompts is not None:
        wanted[data / "sounds" / "prompts"] = settings.prompts.resolve()
    for link, target in wanted.items():
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def free_ports(address: str = "127.0.0.1") -> Ports:
    """Ports that were free a moment ago; another program may still be quicker."""
    held: list[socket.socket] = []
    try:
        sip = next(port for port in _tries(address, held) if _bind(address, port, socket.SOCK_DGRAM, held))
        ari = next(_tries("127.0.0.1", held))
        ami = next(_tries("127.0.0.1", held))
        return Ports(sip, ari, ami, *_free_rtp_range(address))
    finally:
        for each in held:
            each.close()


def _tries(address: str, held: list[socket.socket]) -> Iterator[int]:
    while True:
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.bind((address, 0))
        held.append(tcp)
        yield int(tcp.getsockname()[1])


def _bind(address: str, port: int, kind: socket.SocketKind, held: list[socket.socket]) -> bool:
    probe = socket.socket(socket.AF_INET, kind)
    held.append(probe)
    try:
        probe.bind((address, port))
    except OSError:
        return False
    return True


def _free_rtp_range(address: str) -> tuple[int, int]:
    # Below the kernel's ephemeral range (32768 on), so that no client socket wanders into it.
    for _ in range(500):  # other exchanges may hold calls here and there
        first = 10000 + 2 * secrets.randbelow((32000 - 10000 - RTP_PORTS) // 2)
        held: list[socket.socket] = []
        try:
            if all(_bind(address, port, socket.SOCK_DGRAM, held) for port in range(first, first + RTP_PORTS)):
                return first, first + RTP_PORTS - 1
        finally:
            for each in held:
                each.close()
    raise AsteriskNotStarted(f"no {RTP_PORTS} UDP ports in a row are free below 32000")
