"""Plans of which a telephone number could not be read: stored without it, unless that would hide somebody.

A number is how a caller is known. Where the stored version is found by one, and none of the newer version's can be
read, the stored one stays and the newer waits in the quarantine: better older words than a caller whom nobody knows.
Unless the newer one is about another person: then the stored one named the wrong patient, and its number must not go
on finding them.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, exists, select

from careplans.model import RowFault, same_person
from careplans.rows import CheckedRow
from careplans.screening import BadRow, Screened
from careplans.sealing import PersonKeys, Sealer
from careplans.tables import plan_numbers, plans

LOST = "none of them can be read, and the stored version is found by number: that one stays"


def keep_found(connection: Connection, sealer: Sealer, screened: Screened) -> Screened:
    """``screened``, where what would take the last number from a plan in force is a bad row.

    To be called before the plans are written, in the same transaction.
    """
    good, bad = [], list(screened.bad)
    for each in screened.good:
        if each.row is not None and _would_hide(connection, sealer, each):
            bad.append(BadRow(each.row, (*each.left_out, RowFault(each.line, "phones", LOST))))
        else:
            good.append(each)
    return replace(screened, good=tuple(good), bad=tuple(bad))


def stored_in_part(connection: Connection, sealer: Sealer, screened: Screened) -> list[BadRow]:
    """The records whose plans are stored now without what could not be read; not one that came late, and is older."""
    return [
        BadRow(each.row, each.left_out)
        for each in screened.good
        if each.row is not None and _stored(connection, sealer, each, plans.c.version == each.plan.version) is not None
    ]


def _would_hide(connection: Connection, sealer: Sealer, checked: CheckedRow) -> bool:
    plan = checked.plan
    if plan.person.phones or plan.restricted:
        return False
    found = exists().where(plan_numbers.c.plan == plans.c.id)
    stored = _stored(connection, sealer, checked, and_(plans.c.version < plan.version, found))
    return stored is not None and any(same_person(stored, keys) for keys in sealer.person_keys(plan.person))


def _stored(
    connection: Connection, sealer: Sealer, checked: CheckedRow, such: ColumnElement[bool]
) -> PersonKeys | None:
    """Whom the stored version is about, if there is ``such`` a one."""
    same = plans.c.identity.in_(sealer.identities(checked.plan.source, checked.plan.plan_id))
    row = connection.execute(select(plans.c.nhs_key, plans.c.name_key).where(same, such)).first()
    return None if row is None else PersonKeys(row.nhs_key, row.name_key)
