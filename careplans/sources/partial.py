"""Plans of which a telephone number could not be read: stored without it, unless that would hide somebody.

A number is how a caller is known. Where none of a newer version's can be read, those of the stored version stay with
it: the newest words, and found as before. Unless it is about another person: then the stored one named the wrong
patient, and its numbers must not go on finding them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, select

from careplans.model import Person, Plan, RowFault, is_nhs_number
from careplans.rows import CheckedRow
from careplans.screening import BadRow, Screened
from careplans.sealing import Sealed, Sealer, same_names
from careplans.tables import plans

KEPT = "none of them can be read: those that are stored are kept, see whether they are still right"


@dataclass(frozen=True, slots=True)
class _Version:
    version: int
    person: Person = field(repr=False)


def keep_numbers(connection: Connection, sealer: Sealer, screened: Screened) -> Screened:
    """``screened``, where what would take the last number from a plan has those of its version before.

    That is the newest of those that are in force or are ``screened`` with it. To be called before the plans are
    written, in the same transaction.
    """
    good = list(screened.good)
    for at in sorted(range(len(good)), key=lambda at: good[at].plan.version):  # the older may have kept some itself
        each = good[at]
        if each.row is not None and not each.plan.person.phones:
            good[at] = _with_kept(each, _stored(connection, sealer, each.plan), [other.plan for other in good])
    return replace(screened, good=tuple(good))


def stored_in_part(connection: Connection, sealer: Sealer, screened: Screened) -> list[BadRow]:
    """The records whose plans are stored now without what could not be read; not one that came late, and is older."""
    in_part = [(each.row, each) for each in screened.good if each.row is not None]
    return [BadRow(row, each.left_out) for row, each in in_part if _is_stored(connection, sealer, each)]


def _with_kept(checked: CheckedRow, stored: Iterable[_Version], given: Iterable[Plan]) -> CheckedRow:
    plan = checked.plan
    same = [_Version(each.version, each.person) for each in given if _id(each) == _id(plan) and each is not plan]
    older = [each for each in (*stored, *same) if each.version <= plan.version]
    before = max(older, key=lambda each: each.version, default=None)
    if before is None or not before.person.numbers or not _is_corrected(before.person, plan.person):
        return checked
    told = (*checked.left_out, RowFault(checked.line, "phones", KEPT))
    person = replace(plan.person, kept_phones=before.person.numbers)
    return replace(checked, plan=replace(plan, person=person), left_out=told)


def _id(plan: Plan) -> tuple[str, str]:
    return plan.source, plan.plan_id


def _is_corrected(before: Person, now: Person) -> bool:
    """Whether two versions of one plan are of one person: one of NHS number and names may have been corrected."""
    number = now.nhs_number
    same_number = number is not None and is_nhs_number(number) and number == before.nhs_number
    return same_number or same_names(before, now)


def _stored(connection: Connection, sealer: Sealer, plan: Plan) -> list[_Version]:
    """The version in force, if there is one."""
    columns = (plans.c.id, plans.c.version, plans.c.wrapped_key, plans.c.person)
    same = plans.c.identity.in_(sealer.identities(*_id(plan)))
    return [
        _Version(row.version, sealer.open_person(row.id, Sealed(row.wrapped_key, row.person, b"")))
        for row in connection.execute(select(*columns).where(same))
    ]


def _is_stored(connection: Connection, sealer: Sealer, checked: CheckedRow) -> bool:
    plan = checked.plan
    same = plans.c.identity.in_(sealer.identities(plan.source, plan.plan_id))
    return connection.execute(select(plans.c.id).where(same, plans.c.version == plan.version)).first() is not None
