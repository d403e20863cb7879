"""The notice to a crew: one for each incident, for a confirmed patient, to an approved device, naming nobody.

On SQLite and on PostgreSQL, with both providers of texts as stand-ins; what they received is searched for canaries.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from callrouter.texts.model import Kept, State, Template
from callrouter.texts.outbox import Outbox
from callrouter.texts.sending import Sender
from callrouter.texts.templates import CREW_WORDS
from careplans.access.on_call import PlansOnCall
from careplans.access.ports import MatchedCall
from careplans.access.references import PlansByReference
from careplans.access.tables import plan_references
from careplans.audit.spool import AuditSpool
from careplans.audit.trail import AuditTrail
from careplans.crew import CrewNotices
from careplans.crew_devices import CrewDevice, read_crew_devices
from careplans.crew_tables import crew_notices
from careplans.errors import CrewDevicesError, CrewNoticeRefused, NoRelationship
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from infra.crypto import KeyRing
from infra.migrate import upgrade_database
from infra.numbers import read_number
from infra.sql import Database, connect_database
from tests.hand_clock import HandClock
from tests.text_providers import Notify, Twilio

INCIDENT = "CAD-4711/26"
CREW_MOBILE = "+447700900777"
DEVICE = CrewDevice("las-a101", "london-ambulance", CREW_MOBILE)
TEMPLATES = {
    key: Template(key, words, f"f33517ff-2a88-4f6e-b855-c550268ce08{number}")
    for number, (key, words) in enumerate(CREW_WORDS.items())
}
HANDLER, CLINICIAN = Viewer("hannah", "handler"), Viewer("clive", "clinician")
MEDIC = Viewer("pat", "ambulance", organisation="london-ambulance")
EDITH = {
    "plan_id": "Zzcanary-id", "source": "Universal Care Plan", "author_org": "Zzcanary Hospice",
    "kind": "end of life care plan", "nhs_number": "9990000018", "given_name": "Zzcanarygiven",
    "family_name": "Zzcanaryfamily", "date_of_birth": "1938-04-12", "phones": "07700 900101",
    "handler_line": "Zzcanary line", "detail": "Zzcanary detail", "valid_from": "2026-02-04",
    "review_by": "2027-05-04", "version": "3", "restricted": "no", "withdrawn": "no",
}  # fmt: skip
FARID = {**EDITH, "plan_id": "P2", "nhs_number": "9990000026", "given_name": "Farid", "date_of_birth": "1971-09-30"}
BORN, FARID_BORN = date(1938, 4, 12), date(1971, 9, 30)
CANARIES = (
    "canary", "9990000018", "1938-04-12", "19380412", "12041938", "12/04/1938", "april 1938", "(1938", "7700900101",
    "hannah", "clive", "hospice", "end of life", INCIDENT, "cad-47", "4711/26",
)  # fmt: skip
"""Each too long to stand by chance in a key, a time or a port."""


@dataclass
class House:
    """Plans, a call that matched them, and everything that tells a crew."""

    database: Database
    folder: Path
    clock: HandClock = field(default_factory=HandClock)
    told: list[State] = field(default_factory=list)

    def __post_init__(self) -> None:
        keys = KeyRing(os.urandom(32), os.urandom(32))
        trail = AuditTrail(self.database, keys, self.clock, AuditSpool(self.folder / "spool"))
        self.plans = CarePlans(self.database, keys, self.clock, trail)
        self.on_call = PlansOnCall(self.database, keys, self.clock, trail, self)
        self.references = PlansByReference(self.database, keys, self.clock, trail)
        self.notify, self.twilio = Notify(self.clock, TEMPLATES), Twilio()
        outbox = Outbox(self.database, keys, self.clock)

        async def told(kept: Kept) -> None:
            self.told.append(kept.state)

        providers = [self.notify.provider(), self.twilio.provider()]
        self.sender = Sender(outbox, providers, TEMPLATES, self.clock, told)
        self.crew = CrewNotices(self.database, keys, self.clock, outbox, {DEVICE.id: DEVICE}, "UCP viewer")

    async def by_context(self, context: str) -> MatchedCall | None:
        match = await self.plans.match_number(read_number("07700 900101"))
        return MatchedCall(f"ref-{context}", tuple(each.plan_id for each in match.candidates), None)

    async def load(self, *rows: dict[str, str]) -> None:
        await self.plans.load([Row(line, dict(row)) for line, row in enumerate(rows, 2)])

    async def confirm(self, born: date = BORN, who: Viewer = HANDLER, call: str = "call") -> None:
        await self.on_call.open_by_birth_date(call, born, who)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


async def test_crew_is_told_that_a_plan_exists_and_its_own_sign_in_opens_it(house: House) -> None:
    await house.load(EDITH)
    await house.confirm()
    sent = await house.crew.send("ref-call", INCIDENT, DEVICE.id)
    await house.sender.step(0)
    words = f"A care plan exists. Look in UCP viewer, ref {sent.ref}. Dated February 2026."
    assert [(to, text) for to, text, _ in house.notify.sent] == [(CREW_MOBILE, words)]
    (plan,) = await house.references.open(sent.ref, MEDIC)
    assert plan.person == "Zzcanarygiven Zzcanaryfamily"
    with pytest.raises(NoRelationship):
        await house.references.open(sent.ref, Viewer("sam", "ambulance", organisation="another-service"))
    house.clock.move(12 * 3600)
    with pytest.raises(NoRelationship):
        await house.references.open(sent.ref, MEDIC)
    assert house.told == [State.SENT]


async def test_one_notice_for_each_incident_by_two_workers_and_again(house: House) -> None:
    await house.load(EDITH)
    await house.confirm()
    first, second = await asyncio.gather(
        house.crew.send("ref-call", INCIDENT, DEVICE.id), house.crew.send("ref-call", " cad-4711/26 ", DEVICE.id)
    )
    again = await house.crew.send("ref-call", INCIDENT, DEVICE.id)
    await house.sender.step(0)
    await house.sender.step(0)
    assert first.ref == second.ref == again.ref
    assert sorted((first.is_new, second.is_new, again.is_new)) == [False, False, True]
    assert len(house.notify.sent) == 1
    for table in (crew_notices, plan_references):
        rows = await house.database.read(lambda connection, of=table: connection.execute(select(of)).all())
        assert len(rows) == 1


async def test_a_correction_is_sent_once_and_the_reference_opens_nothing_more(house: House) -> None:
    await house.load(EDITH)
    await house.confirm()
    assert not await house.crew.correct("ref-call", INCIDENT)
    sent = await house.crew.send("ref-call", INCIDENT, DEVICE.id)
    assert not await house.crew.correct("ref-other", INCIDENT)  # another call's
    assert [await house.crew.correct("ref-call", INCIDENT) for _ in range(2)] == [True, False]
    for _ in range(2):
        await house.sender.step(0)
    assert sorted(house.notify.words)[1:] == [f"Disregard ref {sent.ref}."]
    with pytest.raises(NoRelationship):
        await house.references.open(sent.ref, MEDIC)
    with pytest.raises(CrewNoticeRefused, match="corrected"):  # nobody is answered that the crew knows
        await house.crew.send("ref-call", INCIDENT, DEVICE.id)


async def test_nothing_personal_is_in_what_providers_receive_or_in_the_tables(
    house: House, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    house.notify.fault = "down"
    await house.load(EDITH)
    await house.confirm()
    await house.crew.send("ref-call", INCIDENT, DEVICE.id)
    await house.crew.correct("ref-call", INCIDENT)
    await house.sender.step(0)
    house.notify.fault = None
    rows = [
        await house.database.read(lambda connection, of=table: connection.execute(select(of)).all())
        for table in (crew_notices, plan_references)
    ]
    assert house.twilio.sent
    everything = f"{house.notify.seen()}{house.twilio.seen()}{rows}{caplog.text}{capsys.readouterr().out}".lower()
    assert [each for each in CANARIES if each.lower() in everything] == []


@pytest.mark.parametrize(
    "opened_by", ["nobody", "other call", "wrong date", "wrong date after a right one", "withdrawn since"]
)
async def test_without_a_confirmed_patient_nobody_is_told(tmp_path: Path, opened_by: str) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/crew.db")
    await upgrade_database(database)
    house = House(database, tmp_path)
    await house.load(EDITH)
    if opened_by == "other call":
        await house.confirm(call="other")
    elif opened_by == "wrong date":
        await house.confirm(born=FARID_BORN)
    elif opened_by == "wrong date after a right one":
        await house.confirm()
        await house.confirm(born=FARID_BORN, who=CLINICIAN)
    elif opened_by == "withdrawn since":
        await house.confirm()
        await house.load({**EDITH, "version": "4", "withdrawn": "yes"})
    with pytest.raises(CrewNoticeRefused) as refused:
        await house.crew.send("ref-call", INCIDENT, DEVICE.id)
    assert refused.value.reason == "not_confirmed"
    await house.sender.step(0)
    assert house.notify.sent == []
    await database.close()


async def test_on_a_shared_line_the_patient_is_who_was_checked_last(house: House) -> None:
    await house.load(EDITH, FARID)
    await house.confirm(BORN)
    await house.confirm(FARID_BORN)
    sent = await house.crew.send("ref-call", INCIDENT, DEVICE.id)
    assert [each.person for each in await house.references.open(sent.ref, MEDIC)] == ["Farid Zzcanaryfamily"]
    for incident, device, reason in (
        (INCIDENT, "las-x", "unknown_device"),
        ("", DEVICE.id, "no_incident"),
        ("Edith, 12 High Street", DEVICE.id, "no_incident"),
        ("x" * 33, DEVICE.id, "no_incident"),
    ):
        with pytest.raises(CrewNoticeRefused) as refused:
            await house.crew.send("ref-call", incident, device)
        assert refused.value.reason == reason


GOOD_DEVICE = "organisation: london-ambulance, mobile: 07700 900777, approved_by: Duty manager"


def test_approved_devices_are_read_and_what_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "devices.yaml"
    file.write_text(f"devices:\n  las-a101: {{{GOOD_DEVICE}}}\n")
    assert read_crew_devices(file) == {DEVICE.id: DEVICE}
    assert CREW_MOBILE not in repr(DEVICE)
    for text, said in (
        ("devices: []", "expected devices"),
        (f"devices:\n  LAS: {{{GOOD_DEVICE}}}", "devices.yaml:2: an id is"),
        ("devices:\n  a: {organisation: x, mobile: 020 7946 0101, approved_by: me}", "a: not a mobile number"),
        ("devices:\n  a: {organisation: x, mobile: 07700 900777}", "expected approved_by"),
        ("devices:\n  a: {organisation: x, mobile: 07700 900777, approved_by: ' '}", "who approved it"),
    ):
        file.write_text(text)
        with pytest.raises(CrewDevicesError, match=said) as refused:
            read_crew_devices(file)
        assert "7946" not in str(refused.value)
