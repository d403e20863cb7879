"""Callers and providers, played by SIPp from the fragments in `scenarios/`.

A scenario is a list of fragments; `%{name}` in them is filled in here, `[name]` by SIPp itself.

    with RtpEnd() as ear, SippCaller(folder, asterisk.ports.sip, rtp=ear) as caller:
        caller.wait_answered()
        ear.press("5")
        caller.hang_up()
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import string
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.sip.rtp import RtpEnd

SCENARIOS = Path(__file__).parent / "scenarios"
LOOPBACK = "127.0.0.1"
PATIENCE_MS = 60_000
EVENT_LINES = "a=rtpmap:101 telephone-event/8000\n      a=fmtp:101 0-16"
_BORDER = re.compile(r"^-{20,} (.*)$", re.MULTILINE)


class SippMissing(Exception):
    """SIPp is not installed: Debian's package is `sip-tester`."""


class SippFailed(Exception):
    """What was waited for did not come in time; the message ends with the last SIP message."""


@dataclass(frozen=True)
class SipMessage:
    """One message as SIPp saw it, and when (its own clock)."""

    at: datetime
    sent: bool
    start: str
    headers: Mapping[str, str]
    body: str

    def header(self, name: str) -> str | None:
        """The value of the first such header, whatever its case."""
        return self.headers.get(name.lower())

    @property
    def media(self) -> tuple[str, int] | None:
        """Address and port of the audio in the SDP, if there is one."""
        where = re.search(r"^c=IN IP4 (\S+)", self.body, re.MULTILINE)
        audio = re.search(r"^m=audio (\d+)", self.body, re.MULTILINE)
        return (where[1], int(audio[1])) if where and audio else None


class _Template(string.Template):
    """`%{name}`: SIPp's own are `[name]` and `[$1]`."""

    delimiter = "%"
    idpattern = r"(?!)"
    braceidpattern = r"[a-z_]+"


class Sipp:
    """One running SIPp with its scenario, its messages and its end."""

    def __init__(
        self,
        folder: Path,
        name: str,
        fragments: Sequence[tuple[str, Mapping[str, object]]],
        port: int,
        address: str = LOOPBACK,
    ) -> None:
        self.address = address
        self.folder = folder / f"{name}-{port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port
        self._messages = self.folder / "messages.log"
        parts = (_Template((SCENARIOS / f"{each}.xml").read_text()).substitute(values) for each, values in fragments)
        scenario = self.folder / "scenario.xml"
        scenario.write_text(f'<?xml version="1.0"?>\n<scenario name="{name}">\n{"".join(parts)}</scenario>\n')
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str) -> None:
        """Start SIPp with these arguments besides the usual ones. Raises SippMissing."""
        sipp = shutil.which("sipp")
        if sipp is None:
            raise SippMissing("sipp is not installed: apt-get install sip-tester")
        usual = ["-sf", str(self.folder / "scenario.xml"), "-i", self.address, "-p", str(self.port)]
        usual += ["-nostdin", "-trace_msg", "-message_file", str(self._messages)]
        usual += ["-trace_err", "-error_file", str(self.folder / "errors.log"), "-recv_timeout", str(PATIENCE_MS)]
        with (self.folder / "screen").open("wb") as screen:
            self._process = subprocess.Popen(
                [sipp, *usual, *arguments], stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, cwd=self.folder
            )

    @property
    def messages(self) -> list[SipMessage]:
        """All messages so far, oldest first."""
        if not self._messages.exists():
            return []
        _, *parts = _BORDER.split(self._messages.read_text(errors="replace"))
        read = (_parse(at, text) for at, text in zip(parts[::2], parts[1::2], strict=True))
        return [message for message in read if message is not None]

    def received(self, start: str) -> list[SipMessage]:
        """Messages that came in and begin so: `INVITE`, `SIP/2.0 200`."""
        return [each for each in self.messages if not each.sent and each.start.startswith(start)]

    def wait_received(self, start: str, within: float = 20.0, count: int = 1) -> SipMessage:
        """The `count`-th such message. Raises SippFailed when it does not come in time."""
        _wait_for(lambda: len(self.received(start)) >= count, within, lambda: f"no {start!r}: {self._last()}")
        return self.received(start)[count - 1]

    def wait_sent(self, start: str, within: float = 20.0) -> SipMessage:
        """The first message so begun that went out: who got it may know of it before SIPp has written it down."""

        def sent() -> list[SipMessage]:
            return [each for each in self.messages if each.sent and each.start.startswith(start)]

        _wait_for(lambda: bool(sent()), within, lambda: f"no {start!r} sent: {self._last()}")
        return sent()[0]

    def wait_ended(self, within: float = 30.0) -> int:
        """SIPp's exit code: 0 when the scenario went as written. Raises SippFailed when it goes on."""
        if self._process is None:
            raise SippFailed("not started")
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise SippFailed(f"still running: {self._last()}") from None

    def hang_up(self) -> None:
        """End the newest call as a person would, by BYE, or by CANCEL while it rings (a caller on UDP only)."""
        # SIPp takes no such order from outside, so its scenarios wait for a MESSAGE of that call, which only this
        # sends. It answers with the headers of what it received last: those of the dialog are repeated. Who learns of
        # the call through Asterisk may be here before SIPp has written down Asterisk's first answer to it.
        _wait_for(lambda: bool(self._of_call()), 20.0, lambda: f"no call to end: {self._last()}")
        last = self._of_call()[-1]
        lines = [f"MESSAGE sip:{LOOPBACK} SIP/2.0", "CSeq: 1 MESSAGE", "Content-Length: 0"]
        lines += [f"{name}: {last.header(name)}" for name in ("Via", "From", "To", "Call-ID")]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as order:
            order.sendto("\r\n".join([*lines, "", ""]).encode(), (self.address, self.port))

    def _of_call(self) -> list[SipMessage]:
        """What came in of the newest call and not of an order to end it."""
        return [each for each in self.messages if not each.sent and _names_call(each)]

    def stop(self) -> None:
        """End the program, whatever it is doing."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _last(self) -> str:
        messages = self.messages
        errors = self.folder / "errors.log"
        said = errors.read_text(errors="replace")[-500:] if errors.exists() else ""
        return f"last message {messages[-1].start if messages else 'none'}; {said}"


class SippCaller(Sipp):
    """A caller who dials at once; ends on BYE of the other side, or `hang_up_after` seconds from the answer.

    `headers` are added to the INVITE; `keys_by_info` are (seconds after the one before, key); `rfc4733=False`
    leaves telephone-event out of the offer; `refused_with` expects that status instead of an answer; `address` is the
    loopback address that the caller's side has; `formats` are the payload types of the offer; `refer_to` asks for a
    transfer to that address soon after the answer, and expects 603; `call_id` in SIPp's own marks (%p is its process).
    """

    def __init__(
        self,
        folder: Path,
        to_port: int,
        rtp: RtpEnd,
        *,
        dial: str = "111",
        number: str = "+447700900123",
        from_header: str | None = None,
        headers: Mapping[str, str] | None = None,
        keys_by_info: Sequence[tuple[float, str]] = (),
        rfc4733: bool = True,
        hang_up_after: float | None = None,
        refused_with: int | None = None,
        transport: str = "udp",
        address: str = LOOPBACK,
        formats: str = "8 101",
        refer_to: str | None = None,
        call_id: str = "%u-%p@%s",
    ) -> None:
        self._rtp = rtp
        caller = from_header or f"<sip:{number}@carrier.example>"
        common: dict[str, object] = {"from_header": caller, "patience_ms": PATIENCE_MS}
        lines = [f"{name}: {value}" for name, value in (headers or {}).items()] or ["Subject: call"]
        invite = common | {
            "headers": "\n      ".join(lines),
            "rtp_port": rtp.port,
            "formats": formats if rfc4733 else "8",
            "event_lines": EVENT_LINES if rfc4733 else "a=maxptime:40",
        }
        fragments: list[tuple[str, Mapping[str, object]]] = [("caller_invite", invite)]
        if refused_with is not None:
            fragments.append(("caller_refused", common | {"status": refused_with}))
        else:
            fragments.append(("caller_answered", common))
            for after, digit in keys_by_info:
                fragments.append(("caller_info_digit", {"after_ms": int(after * 1000), "digit": digit}))
            if refer_to is not None:
                fragments.append(("caller_refer", {"after_ms": 300, "refer_to": refer_to}))
            fragments.append(_bye(hang_up_after, "[last_From:]", "[last_To:]"))
            fragments.append(("caller_cancel", common))
        super().__init__(folder, "caller", fragments, free_udp_port(), address)
        carrier = "t1" if transport == "tcp" else "u1"
        self.run("-m", "1", "-l", "1", "-cid_str", call_id, "-s", dial, "-t", carrier, f"{LOOPBACK}:{to_port}")

    def wait_answered(self, within: float = 20.0) -> SipMessage:
        """The 200; from now on the caller talks. Raises SippFailed."""
        _wait_for(lambda: self._answer() is not None, within, lambda: f"not answered: {self._last()}")
        answer = self._answer()
        if answer is None or answer.media is None:
            raise SippFailed("the answer names no audio")
        self._rtp.talk_to(*answer.media)
        return answer

    def answered_after(self) -> timedelta:
        """From the INVITE to its 200. Raises SippFailed."""
        return self.wait_answered().at - self.wait_sent("INVITE").at

    def _answer(self) -> SipMessage | None:
        invites = (each for each in self.received("SIP/2.0 200") if "INVITE" in (each.header("CSeq") or ""))
        return next(invites, None)


class SippProvider(Sipp):
    """A provider's line: rings, then answers each call (or not). Answers OPTIONS, or else it does not count as alive.

    `answer_after` seconds of ringing, None: never, until cancelled. `refuse_with` a status such as 486.
    `hang_up_after` seconds from its answer, None: waits for the caller's BYE. `early_media` sends sound before.
    `redirect_to` answers 302 with that address.
    """

    def __init__(
        self,
        folder: Path,
        rtp: RtpEnd,
        *,
        port: int | None = None,
        answer_after: float | None = 0.0,
        refuse_with: int | None = None,
        hang_up_after: float | None = None,
        transport: str = "udp",
        answers_options: bool = True,
        early_media: bool = False,
        redirect_to: str | None = None,
    ) -> None:
        self._rtp = rtp
        ring_ms = int((answer_after or 0.0) * 1000)
        fragments: list[tuple[str, Mapping[str, object]]] = [("provider_ring", {"ring_ms": ring_ms})]
        if early_media:
            fragments.append(("provider_early", {"rtp_port": rtp.port}))
        if redirect_to is not None:
            fragments.append(("provider_redirect", {"redirect_to": redirect_to}))
        elif refuse_with is not None:
            fragments.append(("provider_refuse", {"status": refuse_with}))
        elif answer_after is None:
            fragments.append(("provider_cancelled", {"patience_ms": PATIENCE_MS}))
        else:
            fragments.append(("provider_answer", {"rtp_port": rtp.port}))
            us = "From: <sip:provider@[local_ip]:[local_port]>;tag=[pid]provider[call_number]"
            fragments.append(_bye(hang_up_after, us, "To: [$2]"))
        fragments.append(("options" if answers_options else "options_unanswered", {}))
        super().__init__(folder, "provider", fragments, port or free_udp_port())
        self.run("-t", "t1" if transport == "tcp" else "u1")

    def wait_called(self, within: float = 20.0, count: int = 1) -> SipMessage:
        """The `count`-th INVITE; from now on the provider talks to that caller. Raises SippFailed."""
        invite = self.wait_received("INVITE", within, count)
        if invite.media is not None:
            self._rtp.talk_to(*invite.media)
        return invite


def free_udp_port() -> int:
    """A loopback port that was free a moment ago, for UDP and TCP."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind((LOOPBACK, 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind((LOOPBACK, port))
            except OSError:
                continue
            return port


def _bye(after: float | None, own: str, peer: str) -> tuple[str, Mapping[str, object]]:
    headers = {"own_header": own, "peer_header": peer}
    if after is None:
        return "bye_wait", headers | {"patience_ms": str(PATIENCE_MS)}
    return "bye_send", headers | {"after_ms": str(int(after * 1000))}


def _parse(at: str, text: str) -> SipMessage | None:
    direction, _, message = text.strip().partition("\n\n")
    if not re.search(r"message (sent|received)", direction):
        return None
    head, _, body = message.replace("\r", "").strip().partition("\n\n")
    start, *lines = head.split("\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    when = datetime.fromisoformat(at)
    return SipMessage(when, "message sent" in direction, start, headers, body)


def _names_call(message: SipMessage) -> bool:
    return "INVITE" in (message.header("CSeq") or "") or message.start.startswith("ACK")


def _wait_for(true: Callable[[], bool], within: float, otherwise: Callable[[], str]) -> None:
    # SIPp offers no event: its message file is all that there is, so it is read every 10 ms.
    deadline = time.monotonic() + within
    pause = threading.Event()
    while not true():
        if time.monotonic() > deadline:
            raise SippFailed(otherwise())
        pause.wait(0.01)
