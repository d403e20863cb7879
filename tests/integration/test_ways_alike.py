"""The shipped flow by Twilio and from the terminal: one journal, once times, ids and channel names are taken off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.three_ways import SCRIPTS, by_terminal, by_twilio


@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_terminal_and_twilio_tell_the_same_call(tmp_path: Path, name: str) -> None:
    (tmp_path / "twilio").mkdir()
    (tmp_path / "terminal").mkdir()
    there = await by_twilio(tmp_path / "twilio", SCRIPTS[name])
    here = await by_terminal(tmp_path / "terminal", SCRIPTS[name])
    assert here == there
    kinds = [kind for kind, _ in there]
    assert kinds[0] == "offered"
    assert kinds[-2:] == ["talk_ended", "ended"]
    assert "leg_answered" in kinds


async def test_different_calls_are_told_apart(tmp_path: Path) -> None:
    found = []
    for number, keys in enumerate(SCRIPTS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(await by_twilio(folder, keys))
    assert all(one != other for n, one in enumerate(found) for other in found[n + 1 :])
