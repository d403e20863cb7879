"""What a patient's refusal means for the plans that its sender has stored here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, and_, or_, select

from careplans.model import RowFault, is_nhs_number
from careplans.rows import Gone, Refusal
from careplans.screening import BadRow, Screened
from careplans.sealing import Sealed, Sealer
from careplans.tables import ended_plans, plans

UNKNOWN = "is a refusal, and no plan of its patient is known here: see to it by hand"


def with_refused(connection: Connection, sealer: Sealer, screened: Screened) -> tuple[Screened, list[Gone]]:
    """``screened`` with the withdrawals that its refusals mean; and the refusals that nobody needs to see to.

    One that meets no plan is a bad row, so that a person sees to it. To be called when the plans of the same batch are
    written.
    """
    gone, bad, seen_to = list(screened.gone), list(screened.bad), []
    for refusal in screened.refusals:
        hashes = _hashes(sealer, refusal)
        refused = _refused(connection, sealer, refusal, hashes)
        if refused or _has_ended(connection, refusal.source, hashes):
            gone += refused
            seen_to.append(Gone(refusal.row.line, refusal.source, refusal.refusal_id, refusal.version))
        else:
            bad.append(BadRow(refusal.row, (RowFault(refusal.row.line, "row", UNKNOWN),)))
    return replace(screened, gone=tuple(gone), bad=tuple(bad), refusals=()), seen_to


def _hashes(sealer: Sealer, refusal: Refusal) -> tuple[str, ...]:
    number = refusal.nhs_number
    return sealer.nhs_hashes(number) if number and is_nhs_number(number) else ()


def _refused(connection: Connection, sealer: Sealer, refusal: Refusal, hashes: Sequence[str]) -> list[Gone]:
    """A refusal holds against every version that is stored: it was said of what is shared, not of one state of it."""
    versions = dict.fromkeys(refusal.plan_ids, refusal.version)
    named = [identity for each in versions for identity in sealer.identities(refusal.source, each)]
    of_patient = and_(plans.c.source == refusal.source, plans.c.nhs_key.in_(hashes))
    columns = (plans.c.id, plans.c.version, plans.c.wrapped_key, plans.c.person)
    for row in connection.execute(select(*columns).where(or_(plans.c.identity.in_(named), of_patient))):
        plan_id = sealer.open_reference(row.id, Sealed(row.wrapped_key, row.person, b""))
        versions[plan_id] = max(row.version, refusal.version)
    return [Gone(refusal.row.line, refusal.source, each, version) for each, version in versions.items()]


def _has_ended(connection: Connection, source: str, hashes: Sequence[str]) -> bool:
    """Whether plans of this patient were withdrawn already: servers tell the same refusal again and again."""
    c = ended_plans.c
    return (
        connection.execute(select(c.id).where(c.source == source, c.nhs_key.in_(hashes)).limit(1)).first() is not None
    )
