"""Broken glass, its review, references and who saw what keep their promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, select

from careplans.access.patient import PatientAsked
from careplans.access.reviews import MOST_LISTED
from careplans.access.tables import plan_emergencies
from careplans.audit.tables import plan_audit
from careplans.errors import (
    AlreadyReviewed,
    NoRelationship,
    NotOnePatient,
    OwnEmergency,
    PlanStoreFailed,
)
from careplans.model import Viewer
from infra.sql import Database
from tests.plan_house import BORN, CLARA, CLIVE, CREW, EDITH, INES, REASON, House


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.load()
    return house


@pytest.mark.parametrize(
    "asked",
    [EDITH, PatientAsked(BORN, family_name="o'example jones"), PatientAsked(BORN, family_name="O’EXAMPLE-JONES")],
    ids=["number", "name", "name in capitals"],
)
async def test_a_clinician_opens_one_exact_patient_and_governance_is_told_at_once(
    house: House, asked: PatientAsked
) -> None:
    emergency = await house.emergency.ask(asked, REASON, CLIVE)
    assert [(each.kind, each.id) for each in house.told.notices] == [("broke_glass", emergency.id)]
    (opened,) = await house.emergency.open(emergency.id, CLIVE)
    assert opened.detail == "Medicines are in the house."
    assert await house.recorded() == ["searched", "broke_glass", "opened_emergency"]


async def test_it_opens_for_thirty_minutes_and_for_nobody_else(house: House) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    with pytest.raises(NoRelationship):
        await house.emergency.open(emergency.id, CLARA)
    with pytest.raises(NoRelationship):
        await house.emergency.open("0" * 32, CLIVE)
    house.clock.at += timedelta(minutes=30) - timedelta(microseconds=1)
    assert len(await house.emergency.open(emergency.id, CLIVE)) == 1
    house.clock.at += timedelta(microseconds=1)
    with pytest.raises(NoRelationship):
        await house.emergency.open(emergency.id, CLIVE)


async def test_nothing_is_found_or_shown_that_cannot_be_recorded(house: House) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    ref = await house.refer()
    await house.database.write(plan_audit.drop)
    for attempt in (
        house.emergency.ask(EDITH, REASON, CLIVE),
        house.emergency.open(emergency.id, CLIVE),
        house.who_saw.of(EDITH, INES),
    ):
        with pytest.raises(PlanStoreFailed):
            await attempt
    with pytest.raises(PlanStoreFailed):  # how often somebody was wrong today stands in the audit, too
        await house.references.open(ref, CREW)
    assert len(house.told.notices) == 2


async def test_governance_sees_who_why_and_what_and_says_whether_it_stands(house: House) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    await house.emergency.open(emergency.id, CLIVE)
    (case,) = await house.reviews.newest(INES)
    assert (case.who, case.role, case.reason) == ("clive", "clinician", REASON)
    assert (case.plans, case.opened) == (("end_of_life_care_plan, Universal Care Plan",), (house.clock.now(),))
    assert case.reviewed_at is None
    await house.reviews.decide(emergency.id, accepted=False, words="No such incident", viewer=INES)
    case = await house.reviews.one(emergency.id, INES)
    assert (case.accepted, case.words, case.reviewer, case.reviewed_at) == (
        False, "No such incident", "ines", house.clock.now(),
    )  # fmt: skip
    with pytest.raises(AlreadyReviewed):
        await house.reviews.decide(emergency.id, accepted=True, words="It stands", viewer=INES)
    assert (await house.recorded())[-1] == "reviewed"


async def test_two_reviewers_at_once_leave_one_review(house: House) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    decided = await asyncio.gather(
        *(
            house.reviews.decide(emergency.id, accepted=True, words=f"By {name}", viewer=Viewer(name, INES.role))
            for name in ("ines", "igor")
        ),
        return_exceptions=True,
    )
    assert sorted(type(each) for each in decided if each is not None) == [AlreadyReviewed]
    assert (await house.recorded()).count("reviewed") == 1


async def test_who_saw_tells_of_every_view_and_of_itself(house: House) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    await house.emergency.open(emergency.id, CLIVE)
    found = await house.who_saw.of(EDITH, INES)
    assert [(each.who, each.what) for each in found] == [
        ("ines", "views_read"), ("clive", "opened_emergency"), ("clive", "broke_glass"),
    ]  # fmt: skip
    with pytest.raises(NotOnePatient):
        await house.who_saw.of(PatientAsked(BORN, nhs_number="9990000026"), INES)


@pytest.mark.parametrize(
    "asked", [EDITH, PatientAsked(BORN, family_name="O’Example-Jones")], ids=["by number", "by name, beside another"]
)
async def test_who_saw_tells_of_a_plan_that_was_withdrawn_since(house: House, asked: PatientAsked) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    await house.emergency.open(emergency.id, CLIVE)
    if asked is not EDITH:
        await house.load({"plan_id": "P9", "nhs_number": ""})
    await house.load({"withdrawn": "yes"})
    seen = [(each.who, each.what) for each in await house.who_saw.of(asked, INES)]
    assert seen[1:] == [("clive", "opened_emergency"), ("clive", "broke_glass")]
    with pytest.raises(NotOnePatient):
        await house.who_saw.of(PatientAsked(BORN.replace(day=13), nhs_number="9990000018"), INES)
    if asked is EDITH:
        with pytest.raises(NotOnePatient):  # a withdrawn plan opens for nobody
            await house.emergency.ask(EDITH, REASON, CLIVE)


@pytest.mark.parametrize("number", ["9990000018", ""], ids=["with an NHS number", "without"])
async def test_who_saw_finds_by_name_who_has_no_plan_left(house: House, number: str) -> None:
    await house.load({"nhs_number": number})
    named = PatientAsked(BORN, family_name="O’EXAMPLE JONES")
    await house.emergency.ask(named, REASON, CLIVE)
    await house.load({"withdrawn": "yes"})
    assert [each.what for each in await house.who_saw.of(named, INES)] == ["views_read", "broke_glass"]
    with pytest.raises(NotOnePatient):
        await house.who_saw.of(PatientAsked(BORN.replace(day=13), family_name="O’Example-Jones"), INES)
    await house.load({"plan_id": "P9", "nhs_number": "9990000026", "given_name": "Edie"})
    await house.load({"plan_id": "P9", "withdrawn": "yes"})
    with pytest.raises(NotOnePatient):  # two people of that name and day: their NHS number must tell
        await house.who_saw.of(named, INES)


async def test_a_withdrawn_plan_that_may_be_of_another_hides_nobody_who_looked(house: House) -> None:
    """Without an NHS number, and named as one of the patient's plans only: it makes no second patient of them."""
    await house.load({"plan_id": "P8", "given_name": "Edie"}, {"plan_id": "P9", "nhs_number": ""})
    await house.load({"plan_id": "P9", "withdrawn": "yes"})
    await house.emergency.ask(EDITH, REASON, CLIVE)
    assert [each.what for each in await house.who_saw.of(EDITH, INES)] == ["views_read", "broke_glass"]


async def test_a_reference_opens_for_its_organisation_for_twelve_hours(house: House) -> None:
    ref = await house.refer()
    (opened,) = await house.references.open(f"{ref[:5]} {ref[5:].lower()}", CREW)
    assert opened.detail == "Medicines are in the house."
    assert (await house.recorded())[-1] == "opened_reference"
    house.clock.at += timedelta(hours=12) - timedelta(microseconds=1)
    assert len(await house.references.open(ref, CREW)) == 1
    house.clock.at += timedelta(microseconds=1)
    with pytest.raises(NoRelationship):
        await house.references.open(ref, CREW)


async def test_an_emergency_that_waits_for_its_review_is_never_pushed_off_the_list(house: House) -> None:
    waiting = await house.emergency.ask(EDITH, REASON, CLIVE)
    later = house.clock.now() + timedelta(days=1)

    def review_many(connection: Connection) -> None:
        row = dict(connection.execute(select(plan_emergencies)).mappings().one())
        done = row | {"at": later, "reviewed_at": later, "accepted": True}
        connection.execute(insert(plan_emergencies), [done | {"id": f"{n:032x}"} for n in range(MOST_LISTED)])

    await house.database.write(review_many)
    listed = await house.reviews.newest(INES)
    assert listed[0].id == waiting.id
    assert [each.reviewed_at is None for each in listed] == [True] + [False] * MOST_LISTED


async def test_nobody_reviews_their_own_emergency_under_a_new_name_in_a_new_session(house: House) -> None:
    own = await house.emergency.ask(EDITH, REASON, Viewer("u-1", "clinician", "one", name="Sam Example (u-1)"))
    later = Viewer("u-1", "information_governance", "two", name="Sam Newname (u-1)")
    with pytest.raises(OwnEmergency):
        await house.reviews.decide(own.id, accepted=True, words="all well", viewer=later)
    (case,) = await house.reviews.newest(INES)
    assert case.who == "Sam Example (u-1)"


async def test_what_nobody_is_named_for_waits_until_somebody_is(house: House) -> None:
    house.told.is_nobodys = True
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    assert await house.emergency.tell() == 0
    house.told.is_nobodys = False
    assert await house.emergency.tell() == 1
    assert [each.id for each in house.told.notices] == [emergency.id]
