"""Golden calls of the London flow while dental or pharmacy is open, closed, on a bank holiday, or of unknown hours."""

from __future__ import annotations

from datetime import datetime

import pytest

from callrouter.hours import LONDON, OpeningHours, Week
from flows.player import Player, World, london
from ivr.model import Answered, Band, Gather, GatherWait, Message, OfferWait

FLOW = london()
WEEK = Week(friday=("09:00-18:00",), bank_holiday=("11:00-13:00",))
HOURS = OpeningHours({"dental": WEEK, "pharmacy": WEEK})
NO_HOURS = OpeningHours({})
FRIDAY, CHRISTMAS = "2026-12-18", "2026-12-25"  # both are Fridays
HELLO = ("emergency_999", "recording_notice", "main_menu")
OFFER = ("pharmacy_who_should_stay", "pharmacy_advice", "pharmacy_safety_net", "after_pharmacy_advice")
OPEN = [
    pytest.param(HOURS, f"{FRIDAY}T12:00", id="open"),
    pytest.param(HOURS, f"{CHRISTMAS}T12:00", id="bank holiday, in its own hours"),
]
NOT_OPEN = [
    pytest.param(HOURS, f"{FRIDAY}T18:00", id="closed since now"),
    pytest.param(HOURS, f"{FRIDAY}T03:00", id="night"),
    pytest.param(HOURS, f"{CHRISTMAS}T15:00", id="bank holiday, open on other Fridays"),
    pytest.param(NO_HOURS, f"{FRIDAY}T12:00", id="unknown hours"),
]


def world(hours: OpeningHours, at: str, service: str, **others: Answered) -> World:
    """The hours of ``service``, at a time of London."""
    state = hours.state(service, datetime.fromisoformat(at).replace(tzinfo=LONDON))
    return World(others={"hours": Answered(state), **others})


def questions(player: Player) -> int:
    return sum(isinstance(each, Gather) for each in player.instructions)


@pytest.mark.parametrize(("hours", "at"), OPEN)
def test_open_services_are_offered(hours: OpeningHours, at: str) -> None:
    dental = Player(FLOW, world(hours, at, "dental")).play("3")
    assert (dental.heard, dental.dialled) == (HELLO, ("dental",))

    pharmacy = Player(FLOW, world(hours, at, "pharmacy")).play("4", "heard", "1")
    assert (pharmacy.heard, pharmacy.dialled) == ((*HELLO, *OFFER), ("pharmacy",))


@pytest.mark.parametrize(("key", "service"), [("3", "dental"), ("4", "pharmacy")])
@pytest.mark.parametrize(("hours", "at"), NOT_OPEN)
def test_service_that_is_not_open_is_not_offered_and_its_caller_goes_on_to_111_without_a_menu(
    hours: OpeningHours, at: str, key: str, service: str
) -> None:
    player = Player(FLOW, world(hours, at, service)).play(key)

    assert (player.heard, player.dialled) == ((*HELLO, "hold_111"), ("111",))
    assert questions(player) == 1, "the main menu was the last question"
    assert player.session.band is Band.NORMAL


def test_caller_of_a_closed_pharmacy_hears_the_messages_that_are_for_everybody() -> None:
    messages = Answered("some", messages=(Message("heat", ("m-heat",)),))
    player = Player(FLOW, world(HOURS, f"{FRIDAY}T18:00", "pharmacy", messages=messages)).play("4")

    assert player.session.wait.node == "messages"
    assert player.play("heard").dialled == ("111",)
    assert player.heard == (*HELLO, "message_who_should_stay", "m-heat", "message_safety_net", "hold_111")


@pytest.mark.parametrize(("key", "service"), [("3", "dental"), ("4", "pharmacy")])
@pytest.mark.parametrize(("hours", "at"), [*OPEN, *NOT_OPEN])
def test_raised_caller_is_not_sent_there_at_any_hour(hours: OpeningHours, at: str, key: str, service: str) -> None:
    asked = world(hours, at, service)
    player = Player(FLOW, World(repeat=Answered("PRC", raises=True), others=asked.others)).play(key)

    assert player.heard == (*HELLO, "hold_111")
    assert player.dialled == ("clinician",)


def test_caller_who_waits_because_dental_is_closed_keeps_a_place_for_111() -> None:
    asked = world(HOURS, f"{FRIDAY}T18:00", "dental")
    player = Player(FLOW, World(free=frozenset({"dental"}), others=asked.others)).play("3")

    assert isinstance(player.session.wait, OfferWait)
    assert player.session.wait.services == ("111",)
    assert not isinstance(player.play("timer").session.wait, GatherWait)
