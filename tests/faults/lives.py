"""What callers do around the instant of a fault, so that each is in the stage that was drawn for them just then."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from tests.faults.callers import Caller
from tests.faults.house import PROVIDER_SOUNDS, SOUNDS

Stage = Literal["ringing", "prompt", "gather", "lookup", "waiting", "connecting", "talking"]
STAGES: tuple[Stage, ...] = ("ringing", "prompt", "gather", "lookup", "waiting", "connecting", "talking")

LEAD_S = 15.0  # from the first who dials until the fault
GIVE_UP_S = 45.0  # later than the 30 s after which a caller counts as lost
TALK_S = 0.8
LOOKING_S = 0.15  # before the fault the key is pressed whose look-up is then under way
PATIENCE_S = 3.0  # after which somebody whose key did nothing presses it again
MENU = {SOUNDS[name] for name in ("long_menu", "sorry_missed_that", "emergency_999", "recording_notice")}
VOICES = set(PROVIDER_SOUNDS.values())


@dataclass(frozen=True)
class Life:
    """When somebody dials and presses, in seconds after the fault; before it: negative. None: as soon as asked.

    ``talks_until``: a talk that is under way at the fault is ended then.
    """

    stage: Stage
    dials: float
    key: str
    presses: float | None = None
    talks_until: float | None = None


def draw(stage: Stage, chance: random.Random, *, holds_the_queue: bool = False) -> Life:
    """A life that is in that stage at the fault."""
    later = chance.uniform(4.0, 6.0)
    match stage:
        case "ringing":
            return Life(stage, -chance.uniform(0.0, 0.004), "3")
        case "prompt":
            return Life(stage, -chance.uniform(2.0, 5.0), "3", presses=later)
        case "gather":
            return Life(stage, -chance.uniform(10.8, 12.6), "3", presses=later)
        case "lookup":
            return Life(stage, -chance.uniform(3.0, 4.0), "3", presses=-LOOKING_S)
        case "waiting":
            return Life(stage, -chance.uniform(5.0, 7.5), "1")
        case "connecting":
            return Life(stage, -chance.uniform(3.6, 4.6), "2")
        case "talking" if holds_the_queue:
            return Life(stage, -chance.uniform(11.0, 13.0), "1", talks_until=6.0)
        case "talking":
            return Life(stage, -chance.uniform(7.0, 10.0), "3", talks_until=chance.uniform(5.0, 8.0))


async def live(caller: Caller, life: Life, fault_at: float) -> None:
    """Dial, press, talk, hang up; never longer than :data:`GIVE_UP_S` after the fault."""
    await _until(fault_at + life.dials)
    caller.dial()
    try:
        async with asyncio.timeout(max(fault_at, time.monotonic()) + GIVE_UP_S - time.monotonic()):
            await caller.answered.wait()
            await _when(caller, lambda: _sound(caller) in MENU | VOICES)
            if life.presses is not None:
                await _until(fault_at + life.presses)
            await _press_until_it_helps(caller, life.key)
            if life.talks_until is not None:
                await _until(fault_at + life.talks_until)
            await asyncio.sleep(TALK_S)
    except TimeoutError:
        pass  # whoever was reached by nobody is counted by the test
    finally:
        caller.hang_up()


async def _press_until_it_helps(caller: Caller, key: str) -> None:
    """As people do: in the menu press, and press again if after a while one is still there, or hears nothing."""
    while not caller.ended.is_set():
        await _when(caller, lambda: _sound(caller) in {SOUNDS["long_menu"]} | VOICES or _silent(caller))
        if _sound(caller) in VOICES:
            return
        caller.press(key)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await _when(caller, lambda: _moved_on(caller))
        if _moved_on(caller):
            await _when(caller, lambda: _sound(caller) in MENU | VOICES)  # talking, or back in the menu


def _moved_on(caller: Caller) -> bool:
    heard = caller.hears()
    return heard is not None and heard.sound not in MENU


def _sound(caller: Caller) -> int | None:
    heard = caller.hears()
    return heard.sound if heard is not None else None


def _silent(caller: Caller) -> bool:
    heard = caller.hears()
    return heard is not None and heard.sound in MENU and time.monotonic() - heard.at > 1.0


async def _when(caller: Caller, true: Callable[[], bool]) -> None:
    while not (true() or caller.ended.is_set()):  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # the ear is a thread of its own and tells nobody


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))


async def at(instant: float, then: Callable[[], Awaitable[object]]) -> None:
    """Do it at that instant (monotonic)."""
    await _until(instant)
    await then()
