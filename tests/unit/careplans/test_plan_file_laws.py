"""Laws of the readers of plan files: nothing raises but their own error, and no good row is lost beside a bad one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_fixtures import GOOD

from careplans.errors import PlanFileError
from careplans.importer import check_plan_file
from careplans.rows import COLUMNS
from careplans.screening import Screened, screen

TODAY = date(2026, 6, 15)
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
VALUE = st.none() | st.booleans() | st.integers() | st.floats() | CELL | st.lists(CELL, max_size=3)


def read(name: str, octets: bytes) -> Screened:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(octets)
        return screen(check_plan_file(path).rows(), TODAY)


def numbers(found: Screened) -> set[str]:
    return {plan.plan_id for plan in found.plans}


@pytest.mark.parametrize("name", ["plans.csv", "plans.json", "plans.ndjson"])
@given(octets=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_whatever_the_octets_a_file_is_read_or_refused(name: str, octets: bytes) -> None:
    with suppress(PlanFileError):
        read(name, octets)


@given(bad=st.dictionaries(st.sampled_from([*COLUMNS, "weather"]), VALUE), lines=st.integers(0, 3))
def test_json_and_ndjson_lose_no_good_row_beside_a_bad_one(bad: dict[str, object], lines: int) -> None:
    rows = [{**GOOD, "plan_id": "before"}, bad, {**GOOD, "plan_id": "after"}]
    whole = ("\n" * lines + json.dumps(rows, indent=lines)).encode()
    assert {"before", "after"} <= numbers(read("plans.json", whole))
    assert {"before", "after"} <= numbers(read("plans.ndjson", "\n".join(map(json.dumps, rows)).encode()))


@given(broken=CELL.filter(lambda text: not set(text) & set("\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_a_line_that_is_no_json_loses_no_other(broken: str) -> None:
    good = [json.dumps({**GOOD, "plan_id": each}) for each in ("before", "after")]
    found = read("plans.ndjson", "\n".join([good[0], broken, good[1]]).encode())
    assert numbers(found) == {"before", "after"}


def csv_of(*rows: Mapping[str, object]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@given(bad=st.dictionaries(st.sampled_from(COLUMNS), CELL))
def test_csv_loses_no_good_row_beside_a_bad_one(bad: dict[str, str]) -> None:
    whole = csv_of({**GOOD, "plan_id": "before"}, bad, {**GOOD, "plan_id": "after"})
    assert {"before", "after"} <= numbers(read("plans.csv", whole))


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x.example","a, b")']


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
@given(version=st.integers(0, 10**15 - 1), formula=st.sampled_from(FORMULAS))
def test_a_formula_is_kept_as_text(form: str, version: int, formula: str) -> None:
    row = {**GOOD, "version": version, "handler_line": formula, "detail": f"First\n{formula}"}
    forms = {"csv": csv_of(row), "json": json.dumps([row]).encode(), "ndjson": json.dumps(row).encode()}
    (plan,) = read(f"plans.{form}", forms[form]).plans
    assert (plan.version, plan.handler_line, plan.detail) == (version, formula.strip(), f"First\n{formula}")
