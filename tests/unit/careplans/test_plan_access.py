"""Who gets in without a call, who does not, and who hears of it (docs/safety/rules.md, 6)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from careplans.access.patient import PatientAsked
from careplans.access.references import WRONG_A_DAY, withdraw_reference
from careplans.access.tables import plan_emergencies
from careplans.errors import (
    NoRelationship,
    NotAllowed,
    NotOnePatient,
    OwnEmergency,
    ReasonMissing,
    TooManyTries,
)
from careplans.model import Viewer
from infra.roles import Role
from infra.sql import Database
from tests.plan_house import BORN, CLIVE, CREW, EDITH, INES, REASON, House


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.load()
    return house


@pytest.mark.parametrize(
    "asked",
    [
        PatientAsked(date(1938, 4, 13), nhs_number="9990000018"),
        PatientAsked(BORN, nhs_number="9990000026"),
        PatientAsked(BORN, nhs_number="9990000019"),
        PatientAsked(BORN, nhs_number="07700900101"),
        PatientAsked(BORN, family_name="Example"),
        PatientAsked(BORN, family_name="%"),
        PatientAsked(BORN),
    ],
    ids=["other day", "other number", "wrong check digit", "telephone", "part of the name", "wildcard", "nothing"],
)
async def test_what_is_not_exactly_one_patient_opens_nothing(house: House, asked: PatientAsked) -> None:
    with pytest.raises(NotOnePatient):
        await house.emergency.ask(asked, REASON, CLIVE)
    assert await house.recorded() == ["searched"]
    assert house.told.notices == []


async def test_twins_are_not_one_patient_by_name_but_by_number(house: House) -> None:
    await house.load({"plan_id": "P9", "nhs_number": "9990000026", "given_name": "Ethel"})
    with pytest.raises(NotOnePatient):
        await house.emergency.ask(PatientAsked(BORN, family_name="O’Example-Jones"), REASON, CLIVE)
    await house.emergency.ask(EDITH, REASON, CLIVE)


async def test_a_restricted_patient_opens_to_who_knows_exactly_whom_and_is_marked(house: House) -> None:
    await house.load({"plan_id": "P2", "version": 4, "restricted": "yes"})
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    (opened,) = await house.emergency.open(emergency.id, CLIVE)
    assert opened.restricted
    assert "900101" not in repr(opened.__reduce__())


@pytest.mark.parametrize("reason", ["", "   ", "urgent", "a  b   c    d"])
async def test_without_a_reason_nothing_is_looked_up(house: House, reason: str) -> None:
    with pytest.raises(ReasonMissing):
        await house.emergency.ask(EDITH, reason, CLIVE)
    assert await house.recorded() == []


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.CLINICIAN}))
async def test_nobody_but_a_clinician_breaks_glass(house: House, role: Role) -> None:
    with pytest.raises(NotAllowed):
        await house.emergency.ask(EDITH, REASON, Viewer("walter", role))
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    with pytest.raises(NotAllowed):
        await house.emergency.open(emergency.id, Viewer(CLIVE.user, role))
    assert await house.recorded() == ["refused", "searched", "broke_glass", "refused"]


async def test_a_notice_that_could_not_be_queued_is_queued_later_and_once(house: House) -> None:
    house.told.is_shut = True
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    assert len(await house.emergency.open(emergency.id, CLIVE)) == 1
    house.told.is_shut = False
    assert await house.emergency.tell() == 1
    assert await house.emergency.tell() == 0
    assert [each.id for each in house.told.notices] == [emergency.id]


async def test_a_review_needs_words_and_somebody_else(house: House) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    with pytest.raises(ReasonMissing):
        await house.reviews.decide(emergency.id, accepted=True, words=" ", viewer=INES)
    for same in (Viewer("clive", INES.role, "x"), Viewer("another name", INES.role, CLIVE.session)):
        with pytest.raises(OwnEmergency):
            await house.reviews.decide(emergency.id, accepted=True, words="It stands", viewer=same)
    for role in sorted(set(Role) - {Role.INFORMATION_GOVERNANCE}):
        stranger = Viewer("walter", role)
        for attempt in (
            house.reviews.newest(stranger),
            house.reviews.one(emergency.id, stranger),
            house.reviews.decide(emergency.id, accepted=True, words="It stands", viewer=stranger),
            house.who_saw.of(EDITH, stranger),
        ):
            with pytest.raises(NotAllowed):
                await attempt


@pytest.mark.parametrize("organisation", ["", "Another Ambulance", "London"])
async def test_a_reference_opens_for_no_other_organisation(house: House, organisation: str) -> None:
    ref = await house.refer()
    with pytest.raises(NoRelationship):
        await house.references.open(ref, Viewer("amira", "ambulance", "s", organisation))


async def test_a_reference_without_an_organisation_opens_for_nobody(house: House) -> None:
    ref = await house.refer("")
    with pytest.raises(NoRelationship):
        await house.references.open(ref, Viewer("amira", "ambulance", "s", ""))


async def test_a_withdrawn_reference_opens_nothing(house: House) -> None:
    ref, now = await house.refer(), house.clock.now()
    await house.database.write(lambda connection: withdraw_reference(connection, ref, now))
    with pytest.raises(NoRelationship):
        await house.references.open(ref, CREW)


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.CLINICIAN, Role.AMBULANCE}))
async def test_other_roles_open_no_reference(house: House, role: Role) -> None:
    ref = await house.refer()
    with pytest.raises(NotAllowed):
        await house.references.open(ref, Viewer("walter", role, "s", CREW.organisation))


async def test_references_are_not_guessed(house: House) -> None:
    ref = await house.refer()
    for number in range(WRONG_A_DAY):
        with pytest.raises(NoRelationship):
            await house.references.open(f"GUESS{number}", CREW)
    with pytest.raises(TooManyTries):
        await house.references.open(ref, CREW)


async def test_nothing_that_was_typed_stands_in_the_clear(house: House) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    await house.reviews.decide(emergency.id, accepted=True, words="Ward sister confirmed", viewer=INES)
    rows = await house.database.read(
        lambda connection: [tuple(row) for row in connection.execute(select(plan_emergencies))]
    )
    stored = repr(rows).lower()
    assert not any(word in stored for word in ("confused", "ward", "clive", "ines", "session-", "9990000018"))
