"""The telephone in a terminal: prompts as text, keys and words typed, Enter for silence, ``h`` to hang up.

Lines may be typed ahead: each waits for the next question, only ``h`` acts at once. Piped lines keep their
order, so a piped ``h``, or the end of the input, hangs up at the next question, or once connected.
"""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from rich.console import Console
from rich.text import Text

from adapters.phone.line import Line
from adapters.phone.model import (
    Act,
    Experience,
    Far,
    FarEnd,
    HangUp,
    Moment,
    MomentKind,
    Pace,
    Press,
    Speak,
    SteadyFar,
)
from adapters.phone.phone import DIALLED, Phone
from ivr.actions.node import PERSON_KEY

LONGEST_TALK_S = 600.0
_KEYS = re.compile(r"[0-9*#]+")
_HANG_UP = {"h", "hang up", "bye"}


async def dial(
    line: Line,
    number: str,
    *,
    console: Console,
    typed: TextIO,
    names: Mapping[str, str] | None = None,
    speed: float = 1.0,
    far: Far | None = None,
    dialled: str = DIALLED,
) -> Experience:
    """Call the service as ``number`` and let a person at the terminal be the caller.

    ``names``: who is behind a dialled number or SIP address. Ctrl-C hangs up, as ``h`` does.
    """
    far = far or SteadyFar(FarEnd(ring_s=3.0, talk_s=LONGEST_TALK_S))
    caller = TerminalCaller(console, names or {})
    caller.read(typed)
    shown = number or "a withheld number"
    console.print(Text(f"Calling {dialled} as {shown}. Type keys or words; Enter is silence; h hangs up.", "dim"))
    with _interrupts_hang_up(caller):
        phone = Phone(line, caller, number=number, far=far, pace=Pace(speed), dialled=dialled)
        experience = await phone.call()
    if experience.fell_back:
        console.print(Text(_why_it_fell_back(experience), "bold red"))
    console.print(Text(_how_it_ended(experience), "bold"))
    return experience


class TerminalCaller:
    """:class:`adapters.phone.model.Caller` for a person at a keyboard."""

    def __init__(self, console: Console, names: Mapping[str, str]) -> None:
        self._console = console
        self._names = names
        self._lines: list[str] = []
        self._hung_up = False
        self._no_more = False
        self._piped = False
        self._typed = asyncio.Event()

    def read(self, source: TextIO) -> None:
        """Take lines from ``source``, in a thread, since a terminal cannot be waited for otherwise."""
        loop = asyncio.get_running_loop()
        self._piped = not source.isatty()

        def take() -> None:
            with suppress(RuntimeError):  # the call is over and its loop is closed
                for line in source:
                    loop.call_soon_threadsafe(self.type, line.strip())
                loop.call_soon_threadsafe(self.end_of_input)

        threading.Thread(target=take, daemon=True, name="keyboard").start()

    def type(self, line: str) -> None:
        """A line was typed."""
        if line.lower() in _HANG_UP and not self._piped:
            self.hang_up()
        else:
            self._lines.append(line)
            self._typed.set()

    def hang_up(self) -> None:
        """Put the phone down, whatever is going on."""
        self._hung_up = True
        self._typed.set()

    def end_of_input(self) -> None:
        """Nothing more will be typed."""
        self._no_more = True
        self._typed.set()

    async def during(self, moment: Moment) -> Act | None:
        """Show the moment; what is typed during a question answers it."""
        self._show(moment)
        while True:
            if self._hung_up or self._gives_up(moment):
                return HangUp()
            if self._leaves(moment):
                return self._act(self._lines.pop(0))
            if moment.kind in (MomentKind.QUESTION, MomentKind.TALK):
                if self._lines:
                    act = self._act(self._lines.pop(0))
                    if moment.kind is MomentKind.QUESTION or isinstance(act, HangUp):
                        return act
                    continue
                if self._no_more:
                    return HangUp()
            self._typed.clear()
            await self._typed.wait()

    def _gives_up(self, moment: Moment) -> bool:
        """Whether the next thing typed is to hang up, while the caller is on hold and nothing is asked."""
        on_hold = moment.kind is MomentKind.PAUSE
        return on_hold and bool(self._lines) and self._lines[0].lower() in _HANG_UP

    def _leaves(self, moment: Moment) -> bool:
        """Whether the next thing typed leads from a hold to 111."""
        return moment.kind is MomentKind.PAUSE and bool(moment.digits) and self._lines[:1] == [PERSON_KEY]

    def _act(self, line: str) -> Act | None:
        if line.lower() in _HANG_UP:
            return HangUp()
        if not line:
            self._note("(silence)")
            return None
        if _KEYS.fullmatch(line):
            self._note(f"(pressed {line})")
            return Press(line)
        self._note(f"(said: {line})")
        return Speak(line)

    def _show(self, moment: Moment) -> None:
        match moment.kind:
            case MomentKind.PROMPT:
                self._console.print(Text(moment.text))
            case MomentKind.QUESTION:
                self._console.print(Text(moment.text, "bold"))
            case MomentKind.PAUSE:
                self._note("… on hold (0 leads to 111) …" if moment.digits else "… on hold …")
            case MomentKind.RINGING:
                self._note(f"ringing {self._name(moment.target)} …")
            case MomentKind.TALK:
                self._console.print(Text(f"connected to {self._name(moment.target)}", "bold green"))

    def _note(self, text: str) -> None:
        self._console.print(Text(text, "dim"))

    def _name(self, target: str) -> str:
        address = target.partition("?")[0].partition(";")[0].rpartition("@")[2]
        return f"{self._names[address]} ({address})" if address in self._names else address


def _why_it_fell_back(experience: Experience) -> str:
    what = {
        "HTTP 403": "The service refused our signature (is it run with other tokens, or another data folder?)",
        "": "No line took the call in time, or something in the service failed",
    }.get(experience.why, f"The service gave no answer ({experience.why})")
    return f"{what}: the fall-back rang the default 111 service."


def _how_it_ended(experience: Experience) -> str:
    if experience.ended_by == "caller":
        return "You hung up."
    if experience.ended_by == "far":
        return "They hung up."
    if experience.http_errors:
        return "The service did not answer, and neither did the default 111 service."
    return "The call was ended by the service."


@contextmanager
def _interrupts_hang_up(caller: TerminalCaller) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = False
    with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread, or not Unix
        loop.add_signal_handler(signal.SIGINT, caller.hang_up)
        handled = True
    try:
        yield
    finally:
        if handled:
            loop.remove_signal_handler(signal.SIGINT)
