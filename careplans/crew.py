"""The notice to the crew on its way: that a care plan exists, and a reference by which they open it.

One for each incident, to an approved device, for a patient whom somebody confirmed in this call
(docs/safety/rules.md, 6). The text names nobody and nothing of the plan but the month that it is of.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from careplans.access.passing_on import confirmed_plans
from careplans.access.references import issue_reference, withdraw_reference
from careplans.crew_devices import CrewDevice
from careplans.crew_tables import crew_notices
from careplans.errors import CrewNoticeRefused
from careplans.reading import store_errors
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.sql import Database


class TextQueue(Protocol):
    """Keeps a text, to be sent once the transaction is committed; the same ``reference`` again changes nothing."""

    def put(
        self,
        connection: Connection,
        *,
        reference: str,
        purpose: str,
        template: str,
        to: str,
        values: Mapping[str, str],
        call_ref: str = "",
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class CrewNotice:
    """What was sent for an incident. ``is_new``: by this request, and not by one before it."""

    ref: str
    device: str
    is_new: bool


class CrewNotices:
    """``system``: what crews know the place by where they open the reference."""

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        texts: TextQueue,
        devices: Mapping[str, CrewDevice],
        system: str,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._texts = texts
        self._devices = devices
        self._system = system

    async def send(self, call_ref: str, incident: str, device: str) -> CrewNotice:
        """Have the crew of this incident told, once however often it is asked for.

        Raises :class:`CrewNoticeRefused` (``unknown_device``, ``no_incident``, ``not_confirmed``: the last check
        in this call confirmed no patient with a live plan; ``corrected``: the crew was told to disregard the notice of
        this incident), :class:`PlanStoreFailed`; then nothing was sent.
        """
        to = self._devices.get(device)
        if to is None:
            raise CrewNoticeRefused("unknown_device")
        keys = self._incident(incident)
        with store_errors():
            try:
                return await self._database.write(lambda connection: self._send(connection, call_ref, keys, to))
            except IntegrityError:  # another worker was first, and has committed
                return await self._database.write(lambda connection: self._send(connection, call_ref, keys, to))

    async def correct(self, call_ref: str, incident: str) -> bool:
        """It was the wrong patient: the reference opens nothing from now on, and the crew is told to disregard it.

        Once, from the call that the notice went from; False if there is nothing to correct (any more). Raises
        :class:`CrewNoticeRefused` (``no_incident``), :class:`PlanStoreFailed`.
        """
        keys = self._incident(incident)
        with store_errors():
            return await self._database.write(lambda connection: self._correct(connection, call_ref, keys))

    def _send(self, connection: Connection, call_ref: str, keys: Sequence[str], to: CrewDevice) -> CrewNotice:
        known = connection.execute(select(crew_notices).where(crew_notices.c.incident.in_(keys))).one_or_none()
        if known is not None and known.corrected_at is not None:
            raise CrewNoticeRefused("corrected")  # "told" would be untrue: their last word is "disregard"
        if known is not None:
            return CrewNotice(known.ref, known.device, False)
        plans = confirmed_plans(connection, call_ref)
        if not plans:
            raise CrewNoticeRefused("not_confirmed")
        now, text = self._clock.now(), secrets.token_hex(16)
        ref = issue_reference(connection, [plan.found.id for plan in plans], to.organisation, now)
        row = {"incident": keys[0], "ref": ref, "device": to.id, "call_ref": call_ref, "notice": text, "sent_at": now}
        connection.execute(insert(crew_notices), [row])
        newest = max(plan.found.valid_from for plan in plans)
        values = {"system": self._system, "reference": ref, "month": f"{newest:%B %Y}"}
        self._texts.put(
            connection, reference=text, purpose="crew", template="crew_notice", to=to.mobile, values=values,
            call_ref=call_ref,
        )  # fmt: skip
        return CrewNotice(ref, to.id, True)

    def _correct(self, connection: Connection, call_ref: str, keys: Sequence[str]) -> bool:
        now, text = self._clock.now(), secrets.token_hex(16)
        ours = crew_notices.c.incident.in_(keys) & (crew_notices.c.call_ref == call_ref)
        once = ours & crew_notices.c.corrected_at.is_(None)
        marked = connection.execute(update(crew_notices).where(once).values(corrected_at=now, correction=text))
        if marked.rowcount != 1:
            return False
        row = connection.execute(select(crew_notices).where(ours)).one()
        withdraw_reference(connection, row.ref, now)
        to = self._devices.get(row.device)
        if to is not None:  # a device that is no longer approved is told nothing more; the reference is dead anyway
            self._texts.put(
                connection, reference=text, purpose="correction", template="crew_correction", to=to.mobile,
                values={"reference": row.ref}, call_ref=row.call_ref,
            )  # fmt: skip
        return True

    def _incident(self, incident: str) -> Sequence[str]:
        plain = "".join(incident.split()).upper()
        if not 0 < len(plain) <= 32 or not plain.isascii() or not plain.replace("-", "").replace("/", "").isalnum():
            raise CrewNoticeRefused("no_incident")
        return self._keyring.index_all("crew-incident", plain)
