"""One exact patient, asked for by what their papers say: never by a part of a name, never by a telephone number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from careplans.errors import NotOnePatient
from careplans.fitting import require_fitting_keys
from careplans.model import group_by_person, is_nhs_number, same_person
from careplans.sealing import Sealer
from careplans.store import SealedPlan, ended_plans_of, plans_by_id, plans_by_nhs_number, plans_by_surname


@dataclass(frozen=True, slots=True, repr=False)
class PatientAsked:
    """A date of birth with an NHS number, or, if that is empty, with a family name."""

    birth_date: date
    nhs_number: str = ""
    family_name: str = ""


def find_patient(
    connection: Connection, sealer: Sealer, asked: PatientAsked, *, withdrawn: bool = False
) -> list[SealedPlan]:
    """All plans of the one patient who is exactly this, restricted ones too; newest first, withdrawn ones last.

    ``withdrawn``: those too that their source took back, also where no other plan of the patient is left.

    Pointers are found by the NHS number alone, as they have no date of birth, unless another plan of that number has
    a different one from what was asked.
    Raises :class:`NotOnePatient` where it is none or several: nothing tells which of the two it is;
    :class:`careplans.errors.KeysDoNotFit` where nobody is found and plans are stored under other keys.
    """
    number = "".join(asked.nhs_number.split()).replace("-", "")
    hashes = sealer.nhs_hashes(number) if is_nhs_number(number) else ()
    surnames = () if number else sealer.surname_hashes(asked.family_name, asked.birth_date)
    fitting = plans_by_nhs_number(connection, hashes) if number else plans_by_surname(connection, surnames)
    stored = plans_by_id(connection, [each.id for each in fitting])
    numbers = {*hashes, *(each.nhs_key for each in stored if each.nhs_key)}
    names = {each.name_key for each in stored}
    ended = ended_plans_of(connection, numbers, names, surnames) if withdrawn else []
    born = {plan: sealer.open_person(plan.found.id, plan.sealed).birth_date for plan in (*stored, *ended)}
    found = [plan for plan in born if born[plan] == asked.birth_date]
    if found or not any(born.values()):
        found = [plan for plan in born if born[plan] in (None, asked.birth_date)]
    live = [plan for plan in found if plan not in ended]
    if not born:
        require_fitting_keys(connection, sealer)
    if len(group_by_person(live or found)) != 1:
        raise NotOnePatient("this is not exactly one patient with a plan")
    return [*live, *(plan for plan in found if plan in ended and all(same_person(plan, each) for each in live))]
