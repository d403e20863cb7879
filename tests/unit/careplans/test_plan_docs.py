"""docs/plan-files.md is true: its examples import, and it names every field and kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from careplans.importer import check_plan_file
from careplans.kinds import SNOMED, PlanKind, read_kind
from careplans.model import ImportReport
from careplans.rows import COLUMNS, NEEDED_COLUMNS
from careplans.service import CarePlans

PAGE = (Path(__file__).parents[3] / "docs" / "plan-files.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_the_examples_import(tmp_path: Path, plans: CarePlans, form: str) -> None:
    found = re.search(f"```{form}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (tmp_path / f"example.{form}").write_text(found[1], encoding="utf-8")
    assert await plans.load(check_plan_file(tmp_path / f"example.{form}").rows()) == ImportReport(imported=1)


def test_every_field_is_described() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (yes)? ?\|", PAGE, re.MULTILINE)
    assert [name for name, _ in rows[: len(COLUMNS)]] == list(COLUMNS)
    assert tuple(name for name, needed in rows if needed) == NEEDED_COLUMNS


def test_every_kind_is_described() -> None:
    section = PAGE.split("## Kinds")[1].split("## Example")[0]
    rows = re.findall(r"^\| ([\w ,]+) \| (\d*) ?\| (yes)? ?\|$", section, re.MULTILINE)
    described = {read_kind(name): (code, bool(raises)) for names, code, raises in rows for name in names.split(", ")}
    codes = {kind: code for code, kind in SNOMED.items()}
    assert described == {kind: (codes.get(kind, ""), kind.raises) for kind in PlanKind}
