"""docs/safety/rules.md, 3: on a line that several people share a date of birth asserts somebody by keys only.

The door, the engine and the store of plans are the real ones; the flow lets the date be said, as London's does not.
"""

from __future__ import annotations

from typing import Any

import pytest
from call_world import NewHouse
from flows.player import inline

from callrouter.model import InputKind
from callrouter.plans.pathways import FoundPlans
from careplans.service import CarePlans
from careplans.store import metadata
from infra.numbers import read_number
from ivr.model import Play
from tests.plan_house import row

NUMBER = "07700 900101"
LISTED = frozenset({str(read_number(NUMBER).e164)})
KEYED, SAID = (InputKind.DIGIT, "12041938"), (InputKind.SPEECH_FINAL, "the twelfth of april nineteen thirty eight")
FARID = {"plan_id": "P9", "nhs_number": "9990000026", "given_name": "Farid", "date_of_birth": "1971-09-30"}
NEXT = {"action": "menu", "prompts": ["thanks"], "keys": {"1": "go", "2": "again"}, "exits": {"go": "person"}}
BUDGET_S = 1.0
"""Every look-up of a date of birth takes so long."""
PERSON = {"action": "queue", "services": ["111"], "hold_s": 60}


def asking(**ask: object) -> Any:
    return inline(
        "ask",
        {
            "plan": {"values": ["none", "candidates", "asserted", "confirmed", "unavailable"]},
            "born": {"type": "date"},
            "words": {"type": "text"},
        },
        ask={"prompts": ["when_born"], "exits": {"next": "look"}, **ask},
        look={
            "action": "lookup", "what": "birth_date", "given": ask["into"], "into": "plan", "exits": {"next": "next"},
        },
        next={**NEXT, "exits": {"go": "person", "again": "ask"}},
        person=PERSON,
    )  # fmt: skip


READ_BACK = asking(action="ask_date", into="born")


@pytest.mark.parametrize(
    ("given", "others", "shared", "levels"),
    [
        ([SAID], [], frozenset(), ["asserted"]),
        ([SAID, KEYED], [FARID], frozenset(), ["candidates", "asserted"]),
        ([KEYED, SAID], [FARID], frozenset(), ["asserted", "candidates"]),
        ([SAID, KEYED], [], LISTED, ["candidates", "asserted"]),
    ],
    ids=["one person", "two people, said first", "two people, keyed first", "a listed line"],
)
async def test_what_a_date_of_birth_asserts(
    new_house: NewHouse, given: Any, others: list[dict[str, object]], shared: frozenset[str], levels: list[str]
) -> None:
    house = await new_house(flow=READ_BACK)
    plans = CarePlans(house.database, house.keys, house.clock)
    await house.database.write(metadata.create_all)
    assert not (await plans.load([row(2), *(row(at, **each) for at, each in enumerate(others, 3))])).refused
    house.facts.birth_date = FoundPlans(plans, shared).check_birth_date
    house.door = house.new_door(budget_s=BUDGET_S)

    reply = await house.start(number=NUMBER)
    for (kind, value), level in zip(given, levels, strict=True):
        reply = await house.press("1", await house.tell(kind, value, to=reply))
        assert [each for each in reply.instructions if isinstance(each, Play)] == [Play(("thanks",))]
        record = await house.door.record("call")
        assert record is not None
        assert record.session.facts["plan"] == level
        reply = await house.press("2", reply)


async def test_what_was_never_read_back_asserts_nobody_there_either(new_house: NewHouse) -> None:
    house = await new_house(flow=asking(action="gather", digits=8, into="words"))
    plans = CarePlans(house.database, house.keys, house.clock)
    await house.database.write(metadata.create_all)
    await plans.load([row(2)])
    house.facts.birth_date = FoundPlans(plans, LISTED).check_birth_date
    house.door = house.new_door(budget_s=BUDGET_S)

    await house.tell(InputKind.DIGIT, "19380412", to=await house.start(number=NUMBER))
    record = await house.door.record("call")
    assert record is not None
    assert record.session.facts["plan"] == "candidates"
