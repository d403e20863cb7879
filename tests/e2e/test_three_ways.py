"""The shipped flows by SIP, through a real Asterisk: the journals that Twilio and the terminal give, in one form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_sip_call import House, house, house_with_everything

from callrouter.events import join
from tests.canonical import canonical
from tests.three_ways import SCRIPTS, Journal, by_twilio, number_of, plan_file

pytestmark = [pytest.mark.alone, pytest.mark.slow]

__all__ = ["house", "house_with_everything"]  # fixtures

OFTEN = ("medical", "frail and elderly, asserted")
FAULTS = pytest.mark.faults
"""The others by SIP are part of the long form (`make faults`): a call takes half a minute."""

HEARD_FRAMES = 50  # a second of sound: the caller is in the flow's first words
HANGS_UP_ITSELF = "dental-line"


@pytest.fixture(scope="module")
def plans_known(house_with_everything: House, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The callers' plans are in the store."""
    done = house_with_everything.service.run("plan", "import", str(plan_file(tmp_path_factory.mktemp("plans"))))
    assert done.returncode == 0, done.stderr


def by_sip(there: House, name: str) -> Journal:
    """The journal of a caller who dials 111 by SIP."""
    caller, ear = there.call(number_of(name))
    caller.wait_answered()
    assert ear.wait_heard(HEARD_FRAMES)
    for count, keys in enumerate(SCRIPTS[name].keys):
        if count:
            there.wait_for(lambda kinds, asked=count: _is_asked(kinds, asked), "no next question")
        if keys:
            ear.press(keys)
    there.wait_for_event("leg_answered", within=60)
    caller.hang_up()
    return canonical([join(each["kind"], _facts(each)) for each in there.ended(within=30)])


def _is_asked(kinds: list[str], answered: int) -> bool:
    """Whether something was asked after so many answers."""
    inputs = [at for at, kind in enumerate(kinds) if kind == "input_taken"]
    return len(inputs) >= answered and "prompts_played" in kinds[inputs[answered - 1] :]


def _facts(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("seq", "at", "kind")}


@pytest.mark.parametrize("name", [each if each in OFTEN else pytest.param(each, marks=FAULTS) for each in SCRIPTS])
def test_sip_tells_the_same_call(request: pytest.FixtureRequest, plans_known: None, tmp_path: Path, name: str) -> None:
    get: Callable[[str], House] = request.getfixturevalue
    here = by_sip(get("house"), name)
    there = asyncio.run(by_twilio(tmp_path, name))
    if any(facts.get("provider") == HANGS_UP_ITSELF for _, facts in here):
        assert [kind for kind, _ in here[-2:]] == ["talk_ended", "ended"]
        here, there = here[:-2], there[:-2]  # this line ends the talk by itself; who ends it is another story
    assert here == there
