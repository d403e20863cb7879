"""The line that all SIP variants share: one Asterisk, one provider who answers, callers by the hundred."""

from __future__ import annotations

import shutil
import socket
import string
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from callrouter.flows import load_prompts
from infra.asterisk.instance import Asterisk, AsteriskSettings, Installation, Provider, free_ports
from tests.bench.running import wait_for
from tests.running import ROOT
from tests.sip.sipp import Sipp, free_udp_port

PROMPT_S = 0.2
KEY_AFTER_MS = 500
"""From the caller's ACK: in the middle of the third prompt, the first one that a key may cut short."""
TALK_MS = 50
PROVIDER = "one-eleven"
STAYING = "staying"
RIVALS = Path(__file__).parent / "rivals"
PATIENCE_MS = 20_000
HOUR_MS = 3_600_000
RTP_PORTS = (10_000, 31_999)
"""Below the kernel's own range. Four for each call: Asterisk looks for free ones in it."""


class Many(Sipp):
    """SIPp for many calls: it writes no log of its messages."""

    patience_ms = PATIENCE_MS

    def run(self, *arguments: str) -> None:
        """As its parent, without the trace."""
        sipp = shutil.which("sipp")
        assert sipp is not None
        usual = ["-sf", str(self.folder / "scenario.xml"), "-i", "127.0.0.1", "-p", str(self.port), "-nostdin"]
        usual += ["-trace_err", "-error_file", str(self.folder / "errors.log"), "-recv_timeout", str(self.patience_ms)]
        with (self.folder / "screen").open("wb") as screen:
            self._process = subprocess.Popen(
                [sipp, *usual, *arguments], stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, cwd=self.folder
            )


class ManyCallers(Many):
    """Callers who dial ``extension`` at ``rate`` a second, each with a number of its own, and press a key.

    They stay until the other side hangs up, at most ``patience_ms``.
    """

    def __init__(
        self,
        folder: Path,
        to_port: int,
        rtp_port: int,
        extension: str,
        numbers: Sequence[str],
        rate: int,
        *,
        digit: str = "1",
        patience_ms: int = PATIENCE_MS,
    ) -> None:
        self.patience_ms = patience_ms
        folder.mkdir(parents=True, exist_ok=True)
        listed = folder / "numbers.csv"
        listed.write_text("\n".join(["SEQUENTIAL", *(f"{each};" for each in numbers)]) + "\n")
        common: dict[str, object] = {"from_header": "<sip:[field0]@carrier.example>", "patience_ms": patience_ms}
        invite = common | {
            "headers": "P-Asserted-Identity: <sip:[field0]@carrier.example>",
            "rtp_port": rtp_port,
            "formats": "8",
            "event_lines": "a=maxptime:40",
        }
        bye = common | {"own_header": "[last_From:]", "peer_header": "[last_To:]"}
        fragments = [("caller_invite", invite), ("caller_answered", common),
                     ("caller_info_digit", {"after_ms": KEY_AFTER_MS, "digit": digit}), ("bye_wait", bye),
                     ("caller_cancel", common)]  # fmt: skip
        super().__init__(folder, "callers", fragments, free_udp_port())
        count = str(len(numbers))
        self.run("-m", count, "-r", str(rate), "-l", str(max(100, len(numbers))), "-s", extension, "-inf", str(listed),
                 f"127.0.0.1:{to_port}")  # fmt: skip


class AnsweringProvider(Many):
    """A provider who answers at once and hangs up :data:`TALK_MS` later, for as long as it runs."""

    def __init__(self, folder: Path, rtp_port: int) -> None:
        us = "From: <sip:provider@[local_ip]:[local_port]>;tag=[pid]provider[call_number]"
        bye = {"own_header": us, "peer_header": "To: [$2]", "after_ms": str(TALK_MS)}
        fragments: list[tuple[str, dict[str, object]]] = [
            ("provider_ring", {"ring_ms": 0}), ("provider_answer", {"rtp_port": rtp_port}), ("bye_send", {**bye}),
            ("options", {}),
        ]  # fmt: skip
        super().__init__(folder, "provider", fragments, free_udp_port())
        self.run()


class StayingProvider(Many):
    """A provider who answers at once and talks for as long as the caller likes."""

    patience_ms = HOUR_MS

    def __init__(self, folder: Path, rtp_port: int) -> None:
        bye = {"own_header": "[last_To:]", "peer_header": "[last_From:]", "patience_ms": HOUR_MS}
        fragments: list[tuple[str, dict[str, object]]] = [
            ("provider_ring", {"ring_ms": 0}), ("provider_answer", {"rtp_port": rtp_port}), ("bye_wait", {**bye}),
            ("options", {}),
        ]  # fmt: skip
        super().__init__(folder, "staying", fragments, free_udp_port())
        self.run()


@dataclass(frozen=True, slots=True)
class House:
    """What stands during a whole run."""

    folder: Path
    asterisk: Asterisk
    prompts: Path
    providers: Path
    agi_port: int
    sink: int


class _Template(string.Template):
    delimiter = "%%"
    idpattern = r"(?!)"
    braceidpattern = r"[a-z_]+"


@contextmanager
def house(folder: Path, installation: Installation, agi_port: int, *, capacity: int = 200) -> Iterator[House]:
    """Asterisk with the service's dialplan and the rivals', its providers on the line."""
    prompts = short_prompts(folder / "prompts")
    with ExitStack() as stack:
        sink = stack.enter_context(_sink())
        provider = stack.enter_context(AnsweringProvider(folder, sink))
        staying = stack.enter_context(StayingProvider(folder, sink))
        settings = AsteriskSettings(
            providers=[Provider(PROVIDER, "127.0.0.1", provider.port), Provider(STAYING, "127.0.0.1", staying.port)],
            default_provider=PROVIDER,
            capacity=capacity,
            ports=replace(free_ports(), rtp_first=RTP_PORTS[0], rtp_last=RTP_PORTS[1]),
        )
        asterisk = stack.enter_context(Asterisk(folder / "asterisk", settings, installation))
        _add_rivals(asterisk, prompts, agi_port)
        asterisk.cli(f"pjsip qualify provider-{PROVIDER}")
        wait_for(lambda: "Avail" in asterisk.cli("pjsip show contacts"), 10, "the provider does not answer OPTIONS")
        yield House(folder, asterisk, prompts, providers_file(folder), agi_port, sink)


def _add_rivals(asterisk: Asterisk, prompts: Path, agi_port: int) -> None:
    """Into the running Asterisk: modules that only rivals need, and their dialplan."""
    for module in ("app_read.so", "res_speech.so", "res_agi.so"):
        asterisk.cli(f"module load {module}")
    text = _Template((RIVALS / "dialplan.conf").read_text()).substitute(prompts=prompts, agi_port=agi_port)
    with (asterisk.folder / "etc" / "extensions.conf").open("a") as dialplan:
        dialplan.write("\n" + text)
    asterisk.cli("dialplan reload")
    wait_for(lambda: "bench-dialplan" in asterisk.cli("dialplan show bench-dialplan"), 5, "no dialplan of the rivals")


def short_prompts(folder: Path) -> Path:
    """A-law silence of :data:`PROMPT_S` for each prompt: nothing is transcoded, in any variant."""
    for key in load_prompts(ROOT / "ivr/prompts/en.yaml"):
        file = folder / f"{key}.alaw"
        file.parent.mkdir(parents=True, exist_ok=True)  # a language has a folder of its own
        file.write_bytes(b"\xd5" * int(8000 * PROMPT_S))
    return folder.resolve()


TEAMS = ("frailty", "crisis", "ms_nurse", "palliative")
"""Services behind the pathways of people with a care plan."""


def providers_file(folder: Path) -> Path:
    """One provider for every service, as many lines as are needed."""
    file = folder / "providers.yaml"
    row = {"id": PROVIDER, "name": PROVIDER, "tel": "+442079460101", "answers": "agent",
           "services": ["111", "dental", "mental_health", "clinician", "pharmacy", *TEAMS]}  # fmt: skip
    file.write_text(yaml.safe_dump({"providers": [row]}))
    return file


@contextmanager
def _sink() -> Iterator[int]:
    """A port that takes sound and reads none of it: what it cannot hold, the kernel drops, and nobody is told."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        yield int(heard.getsockname()[1])
