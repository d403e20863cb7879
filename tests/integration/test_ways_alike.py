"""The shipped flows by Twilio and from the terminal: one journal, once times, ids and channel names are taken off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.three_ways import SCRIPTS, Journal, by_terminal, by_twilio

OFTEN = [name for name, script in SCRIPTS.items() if not script.plan or name.endswith(", asserted")]
OFTEN += ["end of life, candidates: another date"]

_told: dict[str, Journal] = {}


async def told_by_twilio(folder: Path, name: str) -> Journal:
    """Played once for all tests here."""
    if name not in _told:
        _told[name] = await by_twilio(folder, name)
    return _told[name]


@pytest.mark.parametrize(
    "name", [each if each in OFTEN else pytest.param(each, marks=pytest.mark.slow) for each in SCRIPTS]
)
async def test_the_terminal_and_twilio_tell_the_same_call(tmp_path: Path, name: str) -> None:
    there, here = await asyncio.gather(told_by_twilio(tmp_path, name), by_terminal(tmp_path, name))
    assert here == there
    kinds = [kind for kind, _ in there]
    assert kinds[0] == "offered"
    assert kinds[-2:] == ["talk_ended", "ended"]
    assert "leg_answered" in kinds
    assert ("plan_disclosed" in kinds) is SCRIPTS[name].told


async def test_different_calls_are_told_apart(tmp_path: Path) -> None:
    found = [await told_by_twilio(tmp_path, name) for name in OFTEN]
    assert all(one != other for n, one in enumerate(found) for other in found[n + 1 :])
