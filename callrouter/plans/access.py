"""Access to plans and its audit, put together from the settings."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from alerts.life.store import AlertStore
from alerts.model import Rule
from callrouter.alerting.governance import GovernanceNotices
from callrouter.call_backs.service import taken_back_by
from callrouter.dispatch.providers import Providers
from callrouter.errors import ConfigurationError
from callrouter.journal import Journal
from callrouter.keys import own_secret
from callrouter.plans.matched_calls import JournalCalls
from callrouter.retention import retention
from callrouter.settings import Settings
from callrouter.welfare.service import taken_on_by
from careplans.access.emergency import EmergencyAccess
from careplans.access.on_call import PlansOnCall
from careplans.access.passing_on import PassingOn
from careplans.access.references import PlansByReference
from careplans.access.reviews import EmergencyReviews
from careplans.access.seen import WhoSaw
from careplans.audit.heads import HeadFile, HeadKeeper, HeadSigner
from careplans.audit.heads_http import HeadWebhook
from careplans.audit.keeping import HEADS, LATE, HeadLoop, LateEntries
from careplans.audit.spool import AuditSpool
from careplans.audit.trail import AuditTrail
from careplans.records import PlanRecords
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.health import Health
from infra.lease import Lease
from infra.loops import repeat, until_next
from infra.sql import Database

RETENTION = "retention"
"""What the job is called that ends records over their time."""
EMERGENCIES = "emergencies"
PLAN_KEYS = "plan_keys"
"""The part that fails while plans are stored under other keys than those of this process."""
PARTS = frozenset({LATE, HEADS, PLAN_KEYS})
"""What the audit and the keys of plans are called among the parts of the service."""


@dataclass(frozen=True, slots=True)
class PlanAccess:
    """Everything by which plans are opened, and the loops behind the audit."""

    trail: AuditTrail
    calls: JournalCalls
    on_call: PlansOnCall
    references: PlansByReference
    emergency: EmergencyAccess
    reviews: EmergencyReviews
    who_saw: WhoSaw
    late: LateEntries
    heads: HeadLoop
    records: PlanRecords
    passing_on: PassingOn

    def loops(self, lease: Callable[..., Lease]) -> list[Coroutine[Any, Any, None]]:
        """What is done behind the calls by one process at a time: one signs, one ends old records."""
        return [
            repeat(EMERGENCIES, self._tell, full=1, lease=lease(name=EMERGENCIES)),
            repeat(HEADS, self.heads.step, full=1, lease=lease(name=HEADS)),
            repeat(RETENTION, self.records.step, full=1, lease=lease(name=RETENTION)),
        ]

    def entering(self) -> Coroutine[Any, Any, None]:
        """What runs beside the calls: each process enters its own late entries."""
        return repeat(LATE, self.late.step, full=1)

    async def _tell(self, wait_s: float) -> int:
        await asyncio.sleep(until_next(2 * wait_s))
        return await self.emergency.tell()


def plan_access(
    settings: Settings,
    database: Database,
    keys: KeyRing,
    clock: Clock,
    *,
    journal: Journal,
    providers: Providers,
    rules: Sequence[Rule],
    health: Health,
) -> PlanAccess:
    """The parts of these settings; raises :class:`ConfigurationError`."""
    trail = AuditTrail(database, keys, clock, AuditSpool(settings.data_dir / "audit-spool"))
    governance = GovernanceNotices(AlertStore(database), rules)
    organisations = {each.id: each.organisation for each in providers}
    calls = JournalCalls(journal, organisations, partial(taken_on_by, database), partial(taken_back_by, database))
    on_call = PlansOnCall(database, keys, clock, trail, calls)
    return PlanAccess(
        trail=trail,
        calls=calls,
        on_call=on_call,
        passing_on=PassingOn(on_call, trail, clock, settings.organisations_passed_to),
        references=PlansByReference(database, keys, clock, trail),
        emergency=EmergencyAccess(database, keys, clock, trail, governance),
        reviews=EmergencyReviews(database, keys, clock, trail),
        who_saw=WhoSaw(keys, trail),
        late=LateEntries(trail, governance, clock, health),
        heads=HeadLoop(database, head_signer(settings), _keepers(settings), clock, health),
        records=PlanRecords(database, keys, clock, trail, retention(settings)),
    )


def _keepers(settings: Settings) -> list[HeadKeeper]:
    """The file last: a receiver that is away is tried again, and no line is written for each try."""
    keepers: list[HeadKeeper] = [HeadFile(heads_file(settings))]
    if settings.audit_heads_url is not None:
        token = settings.audit_heads_token.get_secret_value() if settings.audit_heads_token else ""
        keepers.insert(0, HeadWebhook(settings.audit_heads_url, token))
    return keepers


def head_signer(settings: Settings) -> HeadSigner:
    """The key that signs the audit, of the settings or a development set-up's own."""
    before = [public_key("CALLROUTER_AUDIT_KEYS_BEFORE", each) for each in settings.audit_keys_before.split()]
    if settings.audit_key is None:
        return HeadSigner(bytes.fromhex(own_secret(settings, "audit-key")), before)
    try:
        return HeadSigner(base64.b64decode(settings.audit_key.get_secret_value(), validate=True), before)
    except (ValueError, binascii.Error) as error:
        raise ConfigurationError("CALLROUTER_AUDIT_KEY: must be base64 of 32 octets") from error


def public_key(named: str, text: str) -> bytes:
    """A public key as ``callrouter audit key`` prints it; raises :class:`ConfigurationError`, which names ``named``."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise ConfigurationError(f"{named}: must be base64 of 32 octets, as `callrouter audit key` prints it")
    return found


def heads_file(settings: Settings) -> Path:
    """Where signed heads are kept besides the database."""
    return settings.audit_heads_file or settings.data_dir / "audit-heads"
