"""The rows of one source, told apart: plans to store, plans that are gone, and faults to report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from careplans.model import Plan, RowFault
from careplans.rows import CheckedRow, Gone, Refusal, Row, check_row


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no plan, and why."""

    row: Row
    faults: tuple[RowFault, ...]


@dataclass(frozen=True, slots=True)
class Screened:
    """The good rows in their order, what is gone, and what was wrong elsewhere."""

    good: tuple[CheckedRow, ...]
    gone: tuple[Gone, ...]
    bad: tuple[BadRow, ...]
    refusals: tuple[Refusal, ...] = ()

    @property
    def plans(self) -> tuple[Plan, ...]:
        return tuple(row.plan for row in self.good)

    @property
    def refused(self) -> tuple[RowFault, ...]:
        return tuple(fault for each in self.bad for fault in each.faults)

    @property
    def whole(self) -> tuple[Plan, ...]:
        """The plans of the good rows that could be read whole."""
        return tuple(each.plan for each in self.good if each.row is None)

    @property
    def warnings(self) -> tuple[RowFault, ...]:
        return tuple(warning for row in self.good for warning in (*row.left_out, *row.warnings))


def screen(rows: Iterable[Row], today: date, system: str | None = None) -> Screened:
    """Check every row, and refuse the second of two that claim to be the same version of the same plan.

    Such a pair is a row that was copied and not finished: taking either for both would lose a plan. A row of a
    sender that speaks for one ``system`` belongs to that system, and is refused if it says otherwise.
    """
    good: list[CheckedRow] = []
    gone: list[Gone] = []
    bad: list[BadRow] = []
    refusals: list[Refusal] = []
    first: dict[tuple[str, str, int], int] = {}
    for row in rows:
        checked = _check(row, today, system)
        if isinstance(checked, Gone):
            gone.append(checked)
        elif isinstance(checked, Refusal):
            refusals.append(checked)
        elif isinstance(checked, CheckedRow):
            plan = checked.plan
            version = (plan.source, plan.plan_id, plan.version)
            if version in first:
                bad.append(BadRow(row, (double_fault(row.line, first[version]),)))
            else:
                first[version] = row.line
                good.append(checked)
        else:
            bad.append(BadRow(row, checked))
    return Screened(tuple(good), tuple(gone), tuple(bad), tuple(refusals))


def double_fault(line: int, first: int) -> RowFault:
    """A second row of the same version of the same plan."""
    return RowFault(line, "plan_id", f"the same version of it stands on line {first}")


def _check(row: Row, today: date, system: str | None) -> CheckedRow | Gone | Refusal | tuple[RowFault, ...]:
    if system is None or row.fault is not None:
        return check_row(row, today)
    named = str(row.values.get("source") or "").strip()
    if named not in ("", system):
        return (RowFault(row.line, "source", "is not the one that this sender speaks for"),)
    return check_row(replace(row, values={**row.values, "source": system}), today)
