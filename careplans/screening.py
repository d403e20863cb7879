"""The rows of one source, told apart: plans to store, and faults to report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from careplans.model import Plan, RowFault
from careplans.rows import CheckedRow, Row, check_row


@dataclass(frozen=True, slots=True)
class Screened:
    """The good plans in the order of their rows, and what was wrong or odd elsewhere."""

    plans: tuple[Plan, ...]
    refused: tuple[RowFault, ...]
    warnings: tuple[RowFault, ...]


def screen(rows: Iterable[Row], today: date) -> Screened:
    """Check every row, and refuse the second of two that claim to be the same version of the same plan.

    Such a pair is a row that was copied and not finished: taking either for both would lose a plan.
    """
    good: list[CheckedRow] = []
    refused: list[RowFault] = []
    first: dict[tuple[str, str, int], int] = {}
    for row in rows:
        checked = check_row(row, today)
        if not isinstance(checked, CheckedRow):
            refused += checked
            continue
        plan = checked.plan
        line = first.setdefault((plan.source, plan.plan_id, plan.version), row.line)
        if line != row.line:
            refused.append(RowFault(row.line, "plan_id", f"the same version of it stands on line {line}"))
        else:
            good.append(checked)
    warnings = tuple(warning for row in good for warning in row.warnings)
    return Screened(tuple(row.plan for row in good), tuple(refused), warnings)
