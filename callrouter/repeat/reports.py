"""Reports of other providers' contacts (ITK, CDA) become encounters: what they say of the patient is hashed at once."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from callrouter.ports import RepeatFound
from callrouter.repeat.contacts import KEPT, EarlierReport, External, RepeatCalls, encounter_of
from callrouter.repeat.own_calls import CameTo, nobody_knows
from callrouter.repeat.patient import Patient
from callrouter.repeat.rule import Encounter, judge
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.itk import Patient as WrittenPatient
from infra.itk import Report, read_message
from infra.numbers import read_number

AHEAD = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""

ELSEWHERE = "names a call of ours that did not come to its provider: counted as a contact of its own"

_CONDITION = "patient's reported condition"
_CONTEXT = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A report that was not kept, or not as what it says: its place in the message from 1, and why."""

    place: int
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the reports of one message: ``known`` ones were here already, in this version or a newer one.

    ``apart``: those that name a call of ours which never came to their provider. They count as contacts of their own.
    """

    kept: int
    known: int
    skipped: tuple[Skipped, ...] = ()
    apart: tuple[Skipped, ...] = ()


class EncounterReports:
    """Takes messages into the index of encounters."""

    def __init__(self, repeats: RepeatCalls, clock: Clock, came_to: CameTo = nobody_knows) -> None:
        self._repeats = repeats
        self._clock = clock
        self._came_to = came_to

    async def take(self, octets: bytes, *, of: frozenset[str] | None = None) -> Imported:
        """Keep the encounters of a message that are of the last 97 hours, in one transaction.

        ``of``: the ODS codes of whoever sends it; None: anybody's. Raises :class:`infra.itk.ItkError` for what is no
        message at all. The same message again changes nothing.
        """
        now = self._clock.now()
        good, skipped = await asyncio.to_thread(_read, octets, now, of)  # this loop carries calls
        apart = [Skipped(place, ELSEWHERE) for place, each in good.items() if await self._is_of_another(each)]
        for each in apart:
            good[each.place] = replace(good[each.place], context="")
        kept = await self._repeats.keep_external(list(good.values()), now)
        return Imported(kept, len(good) - kept, tuple(skipped), tuple(apart))

    async def _is_of_another(self, report: External) -> bool:
        """Whether it names a call of ours that came to others: taken for that call, it would hide a contact."""
        codes = await self._came_to(report.context) if report.context else None
        return codes is not None and report.provider.upper() not in codes


def _read(octets: bytes, now: datetime, of: frozenset[str] | None) -> tuple[dict[int, External], list[Skipped]]:
    """What may be kept, by its place in the message, and what may not."""
    message = read_message(octets)
    skipped = [Skipped(fault.place, fault.reason) for fault in message.faults]
    good: dict[int, External] = {}
    for place, report in enumerate(message.reports, start=1):
        if (reason := _unfit(report, now, of)) is None:
            good[place] = external(report)
        else:
            skipped.append(Skipped(place, reason))
    return good, skipped


def outcomes(octets: bytes, keys: KeyRing) -> list[tuple[Encounter, RepeatFound]]:
    """What the rule makes of each call of a message after the others of it, in the order of time.

    Raises :class:`infra.itk.ItkError`.
    """
    reports = [each for each in read_message(octets).reports if each.started is not None]
    encounters = sorted((encounter_of(keys, external(each)) for each in reports), key=lambda each: each.started)
    return [(each, judge([each.traits], each.started, encounters)) for each in encounters]


def _unfit(report: Report, now: datetime, of: frozenset[str] | None) -> str | None:
    if report.started is None:
        return "no start of the contact, and no time of the document"
    if report.started.at < now - KEPT:
        return "older than 97 hours"
    if report.started.at > now + AHEAD:
        return "starts in the future"
    if not report.provider.ods:
        return "no organisation"
    if of is not None and report.provider.ods.upper() not in of:
        return "of an organisation that this key does not report for"
    return None


def external(report: Report) -> External:
    """A report that has a start, as the index takes it."""
    assert report.started is not None
    ids = ["".join(each.lower().split("-")) for each in report.encounter.ids]
    condition = next((each.text for each in report.sections if each.title.casefold() == _CONDITION), "")
    numbers = {read_number(each).e164 for each in report.patient.telephones}
    return External(
        document=report.set_id or report.document_id,
        version=report.version,
        provider=report.provider.ods,
        case=report.encounter.case_reference,
        context=next((each for each in ids if _CONTEXT.fullmatch(each)), ""),
        patient=patient_of(report.patient),
        numbers=tuple(each for each in numbers if each),
        report=EarlierReport(
            started=report.started.at,
            doubtful=report.started.doubtful,
            provider=report.provider.name or report.provider.ods,
            disposition=" ".join(filter(None, (report.disposition.code, report.disposition.words))),
            condition=condition,
        ),
    )


def patient_of(written: WrittenPatient) -> Patient:
    """The patient of a report, as two contacts are compared."""
    return Patient(
        first_name=written.given_names[0] if written.given_names else "",
        last_name=written.family_name,
        birth_date=written.birth_date,
        gender=written.gender,
        postcode=written.postcode,
        nhs_number=written.nhs_number,
        nhs_verified=written.nhs_verified,
    )
