"""A pointer has an NHS number and nothing else: by that it is found, and by nothing else."""

from __future__ import annotations

from datetime import date

import pytest

from careplans.access.patient import PatientAsked
from careplans.errors import NotOnePatient
from careplans.model import MatchLevel
from careplans.rows import Row
from infra.numbers import read_number
from infra.sql import Database
from tests.plan_house import BORN, CLIVE, EDITH, REASON, House, row

OTHER_DAY = date(1950, 1, 1)


def pointer(line: int, nhs_number: str = "9990000018") -> Row:
    values = row(line, nhs_number=nhs_number, handler_line=f"Somewhere {line}.").values
    kept = {
        name: value
        for name, value in values.items()
        if name not in ("given_name", "family_name", "date_of_birth", "phones")
    }
    return Row(line, kept, pointer=True)


async def test_a_pointer_is_found_by_its_nhs_number_only(database: Database) -> None:
    house = House(database)
    assert not (await house.plans.load([pointer(1), pointer(2, "9990000026")])).refused
    found = await house.plans.find_by_nhs_number("999 000 0018")
    assert (found.outcome, len(found.candidates), found.people) == (MatchLevel.CANDIDATES, 1, 1)
    assert (await house.plans.match_number(read_number("07700 900101"))).outcome is MatchLevel.NONE
    assert not (await house.plans.find_by_name("O’Example-Jones", BORN)).candidates
    with pytest.raises(NotOnePatient):
        await house.emergency.ask(PatientAsked(BORN, family_name="O’Example-Jones"), REASON, CLIVE)
    (opened,) = await house.emergency.open((await house.emergency.ask(EDITH, REASON, CLIVE)).id, CLIVE)
    assert (opened.person, opened.handler_line) == ("", "Somewhere 1.")


async def test_it_opens_beside_a_plan_whose_birth_date_is_right_and_with_no_other(database: Database) -> None:
    house = House(database)
    await house.load()
    await house.plans.load([pointer(3)])
    assert len(await house.emergency.open((await house.emergency.ask(EDITH, REASON, CLIVE)).id, CLIVE)) == 2
    with pytest.raises(NotOnePatient):
        await house.emergency.ask(PatientAsked(OTHER_DAY, nhs_number="9990000018"), REASON, CLIVE)
    match = await house.plans.assert_birth_date(read_number("07700 900101"), BORN, "call", keyed=True)
    assert (match.outcome, len(match.candidates)) == (MatchLevel.ASSERTED, 1)
