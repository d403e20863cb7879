"""A finding, and the checks that make them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from callrouter.settings import Settings

LIMIT_S = 15.0
"""A check that takes longer has found out enough: whoever asks is silent."""

Level = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``about`` what, how it is (``text``), and what to ``do``; never an address with its password."""

    about: str
    level: Level
    text: str
    do: str = ""


def ok(about: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(about, "ok", text)


def warning(about: str, text: str, do: str) -> Finding:
    """Callers are served; somebody should look."""
    return Finding(about, "warning", text, do)


def failed(about: str, text: str, do: str) -> Finding:
    """Not fit to serve callers like this."""
    return Finding(about, "failed", text, do)


Check = Callable[[Settings], Awaitable[Sequence[Finding]]]


async def examine(settings: Settings, checks: Sequence[tuple[str, Check]]) -> list[Finding]:
    """What every check found, in their order; one that breaks or hangs is itself a finding."""
    found = await asyncio.gather(*(_guarded(name, check, settings) for name, check in checks))
    return [each for findings in found for each in findings]


async def _guarded(name: str, check: Check, settings: Settings) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await check(settings)
    except TimeoutError:
        return [failed(name, f"no answer within {LIMIT_S:g} s", "see whether it hangs, or a firewall drops packets")]
    except Exception as error:  # noqa: BLE001 - the other checks must still be told; the text may hold a password
        return [failed(name, f"could not be looked at ({type(error).__name__})", "check its address and password")]
