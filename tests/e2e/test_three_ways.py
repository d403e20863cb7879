"""The shipped flow by SIP, through a real Asterisk: the journal that Twilio and the terminal give, in one form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_sip_call import House, house, house_with_everything

from callrouter.events import join
from tests.canonical import canonical
from tests.three_ways import SCRIPTS, Journal, by_twilio

pytestmark = [pytest.mark.alone, pytest.mark.slow]

__all__ = ["house", "house_with_everything"]  # fixtures

OFTEN = ("medical",)
FAULTS = pytest.mark.faults
"""The others by SIP are part of the long form (`make faults`): a call takes half a minute."""

HEARD_FRAMES = 50  # a second of sound: the caller is in the flow's first words
HANGS_UP_ITSELF = "dental-line"


def by_sip(there: House, number: str, keys: tuple[str, ...]) -> Journal:
    """The journal of a caller who dials 111 by SIP."""
    caller, ear = there.call(number)
    caller.wait_answered()
    assert ear.wait_heard(HEARD_FRAMES)
    for count, key in enumerate(keys):
        if count:
            there.wait_for_event("no_match")  # asked again
        if key:
            ear.press(key)
    there.wait_for_event("leg_answered", within=60)
    caller.hang_up()
    return canonical([join(each["kind"], _facts(each)) for each in there.ended(within=30)])


def _facts(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("seq", "at", "kind")}


@pytest.mark.parametrize("name", [each if each in OFTEN else pytest.param(each, marks=FAULTS) for each in SCRIPTS])
def test_sip_tells_the_same_call(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    get: Callable[[str], House] = request.getfixturevalue
    number = f"+4477009001{40 + [*SCRIPTS].index(name)}"
    here = by_sip(get("house"), number, SCRIPTS[name])
    there = asyncio.run(by_twilio(tmp_path, SCRIPTS[name]))
    if any(facts.get("provider") == HANGS_UP_ITSELF for _, facts in here):
        assert [kind for kind, _ in here[-2:]] == ["talk_ended", "ended"]
        here, there = here[:-2], there[:-2]  # this line ends the talk by itself; who ends it is another story
    assert here == there
