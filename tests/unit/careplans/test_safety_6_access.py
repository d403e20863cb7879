"""docs/safety/rules.md, 6 (who sees what), sentence by sentence: who gets in, who does not, and who hears of it.

What holds during a call is in test_plan_opening*.py, both databases in tests/contract/test_emergency_access.py,
pages in tests/unit/console/test_plan_pages.py.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, text

from careplans.access.patient import PatientAsked
from careplans.access.references import WRONG_A_DAY, PlansByReference, withdraw_reference
from careplans.access.rules import AFTER_THE_CALL, EMERGENCY_LIFE, REFERENCE_LIFE, Action, may
from careplans.access.tables import plan_emergencies
from careplans.audit.tables import audit_people, plan_audit
from careplans.errors import (
    NoRelationship,
    NotAllowed,
    NotOnePatient,
    OwnEmergency,
    PlanStoreFailed,
    ReasonMissing,
    TooManyTries,
)
from careplans.model import Viewer
from infra.crypto import KeyRing
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


async def test_a_reference_opens_nothing_that_cannot_be_recorded(house: House) -> None:
    """ "Audit fails open for a plan on a live call": who has a reference can ring whom it came from."""
    ref = await house.refer()
    full = "CREATE TRIGGER full BEFORE INSERT ON plan_audit BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    await house.database.write(lambda c: c.execute(text(full)))
    with pytest.raises(PlanStoreFailed):
        await house.references.open(ref, CREW)
    await house.database.write(lambda c: c.execute(text("DROP TRIGGER full")))
    assert len(await house.references.open(ref, CREW)) == 1
    assert (await house.recorded()).count("opened_reference") == 1
    assert not house.trail.some_wait


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


R = Role
TABLE = {
    Action.CHECK_BIRTH_DATE: {R.HANDLER, R.CLINICIAN},
    Action.SAY_CHECKED: {R.CLINICIAN},
    Action.PASS_ON: {R.HANDLER, R.CLINICIAN},
    Action.READ_DETAIL: {R.CLINICIAN, R.AMBULANCE},
    Action.OPEN_REFERENCE: {R.CLINICIAN, R.AMBULANCE},
    Action.BREAK_GLASS: {R.CLINICIAN},
    Action.REVIEW_EMERGENCIES: {R.INFORMATION_GOVERNANCE},
    Action.SEE_WHO_SAW: {R.INFORMATION_GOVERNANCE},
}


def test_the_roles_are_eight() -> None:
    assert {*Role} == {
        "handler", "clinician", "ambulance", "public_health", "commissioner", "clinical_safety",
        "information_governance", "administrator",
    }  # fmt: skip


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("role", [*Role, "caller", "", "Clinician", "clinician "])
def test_each_role_may_do_what_the_table_says_and_nothing_else(action: Action, role: str) -> None:
    assert may(role, action) is (role in TABLE[action])


def test_the_lengths_are_those_of_the_rules() -> None:
    assert (
        timedelta(minutes=60), timedelta(hours=12), timedelta(minutes=30),
    ) == (AFTER_THE_CALL, REFERENCE_LIFE, EMERGENCY_LIFE)  # fmt: skip


async def test_what_was_passed_on_is_read_only(house: House) -> None:
    """Whoever opens a reference can change nothing: the plan, its reference and who else may open it stay."""
    ref = await house.refer()
    opened = await house.references.open(ref, CREW)
    assert await house.references.open(ref, CREW) == opened
    assert not [name for name in dir(PlansByReference) if not name.startswith("_") and name != "open"]


async def test_entries_hold_keyed_hashes_not_names(house: House) -> None:
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    await house.emergency.open(emergency.id, CLIVE)
    for table in (plan_audit, audit_people):
        rows = await house.database.read(
            lambda connection, table=table: repr([tuple(row) for row in connection.execute(select(table))])  # type: ignore[misc]
        )
        assert not any(word in rows.lower() for word in ("clive", "edith", "example", "9990000018", "confused"))


async def test_a_name_is_read_back_also_under_a_new_index_key(house: House) -> None:
    """Index keys are changed in time; whom an old entry means, and whose emergency it is, must still be known."""
    emergency = await house.emergency.ask(EDITH, REASON, CLIVE)
    rotated = House(house.database, KeyRing(b"n" * 32, b"j" * 32, [(b"m" * 32, b"i" * 32)]))
    assert len(await rotated.emergency.open(emergency.id, CLIVE)) == 1
    (case,) = await rotated.reviews.newest(INES)
    assert case.who == "clive"
    with pytest.raises(OwnEmergency):
        await rotated.reviews.decide(emergency.id, accepted=True, words="Mine", viewer=Viewer("clive", INES.role))
