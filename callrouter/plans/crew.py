"""A crew is told from a call: by a button on its page, or by the legacy feed's word that an ambulance was requested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callrouter import events as ev
from callrouter.approvals import Refused
from callrouter.calls import Calls
from callrouter.errors import ConfigurationError
from callrouter.journal import Journal
from callrouter.plans.matched_calls import JournalCalls
from callrouter.settings import Settings
from callrouter.texts.model import Purpose, State
from callrouter.texts.outbox import Outbox
from careplans.access.ports import MatchedCalls
from careplans.access.rules import AFTER_THE_CALL
from careplans.crew import CrewNotices
from careplans.crew_devices import CrewDevice, read_crew_devices
from careplans.errors import CrewDevicesError, CrewNoticeRefused, PlanStoreFailed
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.sql import Database

WHY = {
    "unknown_device": "this device is not on the list of approved ones",
    "no_incident": "an incident number has letters and digits, at most 32",
    "not_confirmed": "the last check in this call confirmed no patient with a care plan: check the date of birth first",
    "corrected": "the crew was told to disregard the notice of this incident: tell ambulance control by telephone",
    "no_call": "there is no such call, or it ended more than an hour ago",
    "store_failed": "the database did not answer: nothing is known to have been sent; try again",
}


class CrewRefused(Refused):
    """Nobody was told; ``reason`` is one of :data:`WHY`."""

    error_id = "crew_notice_refused"
    status = 409

    def __init__(self, reason: str) -> None:
        super().__init__(WHY[reason])
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CrewText:
    """A text to the crew of this call: a notice or its correction, and what became of it."""

    purpose: Purpose
    state: State


class Crew:
    """What a page and an interface need. ``devices``: organisation by id of each approved device."""

    def __init__(
        self,
        notices: CrewNotices,
        devices: Mapping[str, CrewDevice],
        outbox: Outbox,
        found: MatchedCalls,
        calls: Calls,
        clock: Clock,
    ) -> None:
        self.devices = {each.id: each.organisation for each in devices.values()}
        self._notices = notices
        self._outbox = outbox
        self._found = found
        self._calls = calls
        self._clock = clock

    async def requested(self, context: str, incident: str, device: str) -> bool:
        """An ambulance was requested: its crew is told, once for each incident; False if it had been before.

        Raises :class:`CrewRefused`; then nobody was told.
        """
        call_ref = await self._call_of(context)
        try:
            sent = await self._notices.send(call_ref, incident, device)
        except CrewNoticeRefused as error:
            raise CrewRefused(error.reason) from None
        except PlanStoreFailed as error:
            raise CrewRefused("store_failed") from error
        if sent.is_new:
            await self._calls.note(call_ref, ev.AmbulanceRequested(device=sent.device, incident=incident))
        return sent.is_new

    async def correct(self, context: str, incident: str) -> bool:
        """The notice of this incident, sent from this call, was wrong; False if there is nothing to correct.

        Raises :class:`CrewRefused`.
        """
        call_ref = await self._call_of(context)
        try:
            return await self._notices.correct(call_ref, incident)
        except CrewNoticeRefused as error:
            raise CrewRefused(error.reason) from None
        except PlanStoreFailed as error:
            raise CrewRefused("store_failed") from error

    async def texts(self, context: str) -> Sequence[CrewText]:
        """What crews were sent from this call, oldest first. Raises :class:`CrewRefused`."""
        kept = await self._outbox.of_call(await self._call_of(context))
        return [CrewText(each.purpose, each.state) for each in kept if each.purpose is not Purpose.CALLER]

    async def _call_of(self, context: str) -> str:
        try:
            call = await self._found.by_context(context)
        except PlanStoreFailed as error:
            raise CrewRefused("store_failed") from error
        if call is None or (call.ended_at is not None and self._clock.now() - call.ended_at > AFTER_THE_CALL):
            raise CrewRefused("no_call")
        return call.call_ref


def open_crew(
    settings: Settings, database: Database, keys: KeyRing, clock: Clock, outbox: Outbox, journal: Journal, calls: Calls
) -> Crew | None:
    """None where no approved devices are set; raises :class:`ConfigurationError`."""
    if settings.crew_devices_file is None:
        return None
    try:
        devices = read_crew_devices(settings.crew_devices_file)
    except CrewDevicesError as error:
        raise ConfigurationError(str(error)) from error
    notices = CrewNotices(database, keys, clock, outbox, devices, settings.crew_system)
    return Crew(notices, devices, outbox, JournalCalls(journal), calls, clock)
