"""Files that are not what they say: named with line and cause, and what was stored stays."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from careplans.errors import PlanFileError
from careplans.importer import check_plan_file
from careplans.model import ImportReport, MatchLevel
from careplans.rows import COLUMNS, Row
from careplans.service import CarePlans
from infra.numbers import read_number

MakeRow = Callable[..., Row]
HEADER = ",".join(COLUMNS)
NUMBER = read_number("07700900101")

BROKEN = {
    "binary.csv": (b"\x00\x01plans", 1, "binary"),
    "binary_in_the_middle.csv": (f"{HEADER}\na,b\0c\n".encode(), 2, "binary"),
    "latin_1.csv": (f"{HEADER}\nP1,caf\u00e9\n".encode("latin-1"), 2, "UTF-8"),
    "utf_16.csv": (HEADER.encode("utf-16"), 1, "UTF-16; save it in UTF-8 (in a spreadsheet: save as CSV UTF-8)"),
    "no_name_amid.csv": (HEADER.replace("detail", "").encode(), 1, "column 11 is not"),
    "empty.csv": (b"", 1, "empty"),
    "blank.json": (b" \n \n", 1, "empty"),
    "no_header.csv": (
        b"P1,Universal Care Plan,Zzyzx\n",
        1,
        "column 1 is not one of the known names, which are: plan_id, source",
    ),
    "misspelt_header.csv": (HEADER.replace("phones", "phone").encode(), 1, "column 9 is not"),
    "column_twice.csv": (f"{HEADER},detail".encode(), 1, "detail stands there twice"),
    "column_missing.csv": (HEADER.replace("version,", "").encode(), 1, "version missing"),
    "semicolons.csv": (HEADER.replace(",", ";").encode(), 1, "not separated by commas"),
    "tabs.csv": (HEADER.replace(",", "\t").encode(), 1, "not separated by commas"),
    "only_what_separates.csv": (b"sep=,\n", 1, "column 1 is not one of the known names"),
    "json_inside.csv": (b'[{"plan_id": "P1"}]', 1, "wrong header"),
    "open_quote.csv": (f'{HEADER}\n"P1,Zzyzx\n'.encode(), 2, "not CSV"),
    "csv_inside.json": (f"\n{HEADER}\n".encode(), 2, "no list of plans"),
    "object.json": (b'{"plans": []}', 1, "no list of plans"),
    "list_of_text.json": (b'["Zzyzx"]', 1, "no list of objects"),
    "list_of_lists.json": (b'[\n {"plan_id": "P1"},\n ["Zzyzx"]]', 3, "no list of objects"),
    "cut_off.json": (b'[\n{"plan_id": "P1"', 2, "not JSON"),
    "no_comma.json": (b'[{"plan_id": "P1"}\n{"plan_id": "P2"}]', 2, "expected , or ]"),
    "trailing_comma.json": (b'[{"plan_id": "P1"},\n]', 2, "not JSON"),
    "two_lists.json": (b"[]\n[]", 1, "something follows"),
    "deep.json": (b'[{"plan_id": ' + b"[" * 100_000, 1, "nested too deep"),
    "long_number.json": (b'[{"version": ' + b"9" * 5_000 + b"}]", 1, "number too long"),
    "long_plan.json": (b'[{"detail": "' + b"x" * 2_000_000 + b'"}]', 1, "a plan longer than 512 KiB"),
    "plans.xlsx": (b"PK", 1, "neither in .csv nor in .json nor in .ndjson"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_file_changes_nothing(tmp_path: Path, plans: CarePlans, row: MakeRow, name: str) -> None:
    await plans.load([row()])
    octets, line, cause = BROKEN[name]
    file = tmp_path / name
    file.write_bytes(octets)
    with pytest.raises(PlanFileError) as raised:
        await plans.load(check_plan_file(file).rows())
    assert (raised.value.file, raised.value.line) == (str(file), line)
    assert cause in raised.value.cause
    assert "Zzyzx" not in str(raised.value)
    assert (await plans.match_number(NUMBER)).outcome is MatchLevel.CANDIDATES


def test_what_a_spreadsheet_leaves_in_a_file_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "plans.csv"
    names = HEADER.replace("plan_id", "Plan ID").replace("nhs_number", "NHS-Number").replace("phones", " PHONES")
    blank, cells = "," * (HEADER.count(",") + 2), "x," * HEADER.count(",")
    file.write_text(f"{names},,\r\n{blank}\r\n{cells}x,,\n\n{blank}\n , \n{cells}x,,y\n{cells},x\n{blank},\n")
    rows = list(check_plan_file(file).rows())
    assert [(each.line, each.fault) for each in rows] == [
        (3, None), (7, "has 18 cells, the header has 16"), (8, "has 17 cells, the header has 16")
    ]  # fmt: skip
    assert tuple(rows[0].values) == COLUMNS


def test_a_first_line_that_says_what_separates_the_cells_is_passed_over(tmp_path: Path, row: MakeRow) -> None:
    file = tmp_path / "plans.csv"
    file.write_text("sep=,\r\n" + csv_text(row()))
    assert [(each.line, each.fault) for each in check_plan_file(file).rows()] == [(3, None)]


@pytest.mark.parametrize("name", ["absent.csv", "folder.csv"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(PlanFileError, match=f"{name}:1: cannot be read"):
        check_plan_file(tmp_path / name)


def csv_text(*rows: Row) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows([row.values for row in rows])
    return text.getvalue()


async def test_a_bad_row_is_reported_by_line_and_the_good_ones_are_kept(
    tmp_path: Path, plans: CarePlans, row: MakeRow
) -> None:
    file = tmp_path / "mixed.csv"
    good = row(plan_id="P1", detail="two\nlines")  # the next row begins on line 4
    file.write_text(csv_text(good, row(plan_id="P2", kind="?"), row(plan_id="P3")) + "\nP4,short\n")
    report = await plans.load(check_plan_file(file).rows())
    assert (report.imported, [(f.line, f.field) for f in report.refused]) == (2, [(4, "kind"), (7, "row")])


async def test_a_field_that_no_plan_can_have_is_a_fault_of_its_row_alone(
    tmp_path: Path, plans: CarePlans, row: MakeRow
) -> None:
    file = tmp_path / "long.csv"
    file.write_text(csv_text(row(plan_id="P1", detail="x" * 500_000), row(plan_id="P2")))
    report = await plans.load(check_plan_file(file).rows())
    assert (report.imported, [(f.line, f.field) for f in report.refused]) == (1, [(2, "detail")])


def test_csv_and_json_of_the_same_plans_say_the_same(tmp_path: Path, row: MakeRow) -> None:
    rows = [row(plan_id="P1"), row(plan_id="P2", given_name='Zoë "Zo" O\'Neil, née Ünal 🙂')]
    (tmp_path / "plans.csv").write_text("\ufeff" + csv_text(*rows), encoding="utf-8")
    (tmp_path / "plans.json").write_text(json.dumps([dict(row.values) for row in rows], indent=1))
    from_csv, from_json = (list(check_plan_file(tmp_path / name).rows()) for name in ("plans.csv", "plans.json"))
    assert [row.values for row in from_csv] == [row.values for row in from_json]
    assert [row.line for row in from_csv] == [2, 3]
    assert [row.line for row in from_json] == [2, 20]


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_a_byte_order_mark_is_no_part_of_what_a_file_says(tmp_path: Path, row: MakeRow, form: str) -> None:
    good = dict(row().values)
    texts = {"csv": csv_text(row()), "json": json.dumps([good]), "ndjson": json.dumps(good)}
    found = []
    for mark in ("", "\ufeff"):
        (tmp_path / f"plans.{form}").write_text(mark + texts[form], encoding="utf-8", newline="")
        found.append([each.values for each in check_plan_file(tmp_path / f"plans.{form}").rows()])
    assert found[0] == found[1]
    assert [each["plan_id"] for each in found[1]] == [good["plan_id"]]


async def test_a_name_twice_in_an_object_refuses_that_row(tmp_path: Path, plans: CarePlans) -> None:
    file = tmp_path / "twice.json"
    file.write_text('[{"plan_id": "P1", "plan_id": "P2"}]')
    report = await plans.load(check_plan_file(file).rows())
    assert [(fault.line, fault.field, fault.reason) for fault in report.refused] == [(1, "row", "has one name twice")]


async def test_an_empty_list_is_a_file_of_no_plans(tmp_path: Path, plans: CarePlans) -> None:
    (tmp_path / "none.json").write_text(" [ ] ")
    assert await plans.load(check_plan_file(tmp_path / "none.json").rows()) == ImportReport()


async def test_the_demonstration_file_is_good(plans: CarePlans) -> None:
    demo = Path(__file__).parents[3] / "careplans" / "demo.csv"
    report = await plans.load(check_plan_file(demo).rows())
    assert (report.imported, report.refused, report.warnings) == (12, (), ())
    shared = await plans.match_number(read_number("020 7946 0110"))
    assert (shared.reason, shared.people) == ("shared_line", 3)
    stale = await plans.match_number(read_number("01632 960120"))
    assert [candidate.stale for candidate in stale.candidates] == [True]
    assert (await plans.match_number(read_number("07700 900130"))).outcome is MatchLevel.NONE
    crisis = await plans.match_number(read_number("07700 900103"))
    assert [candidate.raises for candidate in crisis.candidates] == [True]
