"""A call back that is promised by SIP: the same small flow as over webhooks, through a real Asterisk."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_sip_call import House, house, house_with_everything, kinds, only

pytestmark = [pytest.mark.alone, pytest.mark.slow]

__all__ = ["house", "house_with_everything"]  # fixtures

SETTINGS = {"FLOW_FILE": str(Path(__file__).parents[1] / "flows/call_back.yaml")}
HEARD_FRAMES = 50  # a second of sound: the caller is in the flow's first words


def _is_asked_again(found: list[str]) -> bool:
    """Whether the number was read back after key 1."""
    return "input_taken" in found and "prompts_played" in found[found.index("input_taken") :]


def test_a_caller_by_sip_is_promised_a_call_and_hangs_up(house: House) -> None:
    caller, ear = house.call("+447700900171")
    caller.wait_answered()
    assert ear.wait_heard(HEARD_FRAMES)
    ear.press("1")
    house.wait_for(_is_asked_again, "the number was not read back")
    ear.press("1")
    house.wait_for_event("call_back_promised")
    caller.hang_up()

    events = house.ended()
    assert only(events, "ended")["end_class"] == "call_back"
    asked = [each["what"] for each in events if each["kind"] == "looked_up"]
    assert asked == ["plan", "repeat", "call_back", "number", "call_back"]
    assert "leg_answered" not in kinds(events)
