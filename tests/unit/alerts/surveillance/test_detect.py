"""``callrouter alerts detect`` through its door: a file of counts and settings in, a file of findings out."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.surveillance.cli import app
from tests.unit.alerts.surveillance.series_files import HEADER, written, written_control, written_series

YEARS = [20 + (week % 7) for week in range(52 * 5 + 20)]
FARRINGTON = {"b": 4, "w": 3, "noPeriods": 10, "pastWeeksNotIncluded": 26, "thresholdMethod": "nbPlugin", "alpha": 0.01}


def detect(folder: Path, detector: str, series: Path, /, **control: object) -> tuple[int, str, list[dict[str, str]]]:
    output = folder / "out.csv"
    config = written_control(folder, **control)
    files = ["--config", str(config), "--input", str(series), "--output", str(output)]
    answer = CliRunner().invoke(app, ["detect", "--method", detector, *files])
    rows = list(csv.DictReader(output.read_text().splitlines())) if output.exists() else []
    return answer.exit_code, answer.output, rows


def test_a_week_far_above_its_season_is_an_alarm_and_only_that_one(tmp_path: Path) -> None:
    counts = [*YEARS[:-1], 90]
    series = written_series(tmp_path, counts)

    code, said, rows = detect(tmp_path, "farrington-flexible", series, **FARRINGTON, range=[270, 280])

    assert (code, [row["t"] for row in rows if row["alarm"] == "TRUE"]) == (0, ["280"])
    assert "11 times judged, 1 alarms" in said
    assert list(rows[0]) == ["t", "observed", "expected", "upperbound", "alarm", "score"]


@pytest.mark.parametrize(("variant", "first"), [("ears-c1", 8), ("ears-c2", 10), ("ears-c3", 12)])
def test_without_a_range_every_day_with_the_history_is_judged(variant: str, first: int, tmp_path: Path) -> None:
    series = written_series(tmp_path, [3, 4, 2, 5, 4, 3, 6, 5, 4, 3, 4, 5, 30])

    code, _, rows = detect(tmp_path, variant, series, alpha=0.001)

    assert (code, rows[0]["t"], rows[-1]["t"]) == (0, str(first), "13")


def test_what_is_not_counted_has_no_bound_and_raises_no_alarm(tmp_path: Path) -> None:
    counts: list[object] = [*YEARS[:-1], "NA"]
    series = written_series(tmp_path, counts)

    _, _, rows = detect(tmp_path, "farrington-flexible", series, **FARRINGTON, range=[280, 280])

    assert (rows[0]["observed"], rows[0]["upperbound"], rows[0]["alarm"]) == ("NA", "NA", "FALSE")


def test_fewer_than_five_cases_in_four_weeks_are_no_alarm(tmp_path: Path) -> None:
    series = written_series(tmp_path, [*[0, 1, 0, 0] * 69, 0, 0, 0, 4])

    _, _, rows = detect(tmp_path, "farrington-flexible", series, **FARRINGTON, range=[280, 280])

    assert (rows[0]["upperbound"], rows[0]["alarm"]) == ("NA", "FALSE")


def test_a_constant_series_has_a_bound_above_itself(tmp_path: Path) -> None:
    series = written_series(tmp_path, [7] * 280)

    _, _, rows = detect(tmp_path, "farrington-flexible", series, **FARRINGTON, range=[280, 280])

    assert float(rows[0]["upperbound"]) > 7
    assert rows[0]["alarm"] == "FALSE"


def test_cases_after_years_of_zeros_are_undecided_not_ordinary(tmp_path: Path) -> None:
    series = written_series(tmp_path, [*[0] * 319, 20])

    _, _, rows = detect(tmp_path, "farrington-flexible", series, **FARRINGTON | {"b": 5}, range=[319, 320])

    assert [row["alarm"] for row in rows] == ["NA", "NA"]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("2,2,many", "series.csv:3: observed: must be a number"),
        ("2,2,-1", "series.csv:3: observed: must not be negative"),
        ("2,2,inf", "series.csv:3: observed: must be a number"),
        ("1,2,5", "series.csv:3: t: must be 2"),
        ("3,3,5", "series.csv:3: t: must be 2"),
        ("2.5,2,5", "series.csv:3: t: must be a whole number"),
        ("2,,5", "series.csv:3: epoch: must be a number"),
    ],
)
def test_a_defective_row_is_named_and_nothing_is_written(line: str, cause: str, tmp_path: Path) -> None:
    series = written(tmp_path / "series.csv", f"{HEADER}\n1,1,5\n{line}\n")

    code, said, rows = detect(tmp_path, "ears-c1", series)

    assert (code, rows) == (2, [])
    assert cause in said


def test_a_week_that_is_left_out_of_a_dated_series_is_refused(tmp_path: Path) -> None:
    days = [f"{t},{12422 + 7 * t + (7 if t > 100 else 0)},5,TRUE" for t in range(1, 281)]
    series = written(tmp_path / "series.csv", "\n".join(["t,epoch,observed,epochAsDate", *days]) + "\n")
    code, said, _ = detect(tmp_path, "farrington-flexible", series, **FARRINGTON, range=[280, 280])

    assert code == 2
    assert "series.csv:102: epoch: must be 7 days after" in said


def test_days_may_be_judged_with_ears_whatever_their_dates(tmp_path: Path) -> None:
    days = [f"{t},{12422 + t},{t % 4},TRUE" for t in range(1, 15)]
    series = written(tmp_path / "series.csv", "\n".join(["t,epoch,observed,epochAsDate", *days]) + "\n")

    assert detect(tmp_path, "ears-c2", series)[0] == 0


def test_an_epoch_that_comes_twice_is_refused(tmp_path: Path) -> None:
    text = "t,epoch,observed,epochAsDate\n1,12422,5,TRUE\n2,12422,5,TRUE\n"
    code, said, _ = detect(tmp_path, "ears-c1", written(tmp_path / "series.csv", text))

    assert code == 2
    assert "series.csv:3: epoch: must be after the one before" in said


@pytest.mark.parametrize("text", ["", f"{HEADER}\n", "t,epoch\n1,1\n", "\0\n"])
def test_a_file_without_counts_is_refused(text: str, tmp_path: Path) -> None:
    code, said, _ = detect(tmp_path, "ears-c1", written(tmp_path / "series.csv", text))

    assert code == 2
    assert "series.csv" in said


@pytest.mark.parametrize(
    ("control", "cause"),
    [
        ({"bb": 4}, "bb: there is no such field"),
        ({"b": 0}, "control.json: b: must be at least 1"),
        ({"alpha": 1.5}, "alpha"),
        ({"range": [20, 10]}, "its end is before its start"),
        ({"range": [270, 999]}, "range: ends at 999"),
        ({"thresholdMethod": "guess"}, "thresholdMethod"),
        ({"noPeriods": 60}, "noPeriods 60: more periods than weeks"),
        ({"noPeriods": 2, "w": 26}, "noPeriods 2: more periods than weeks"),
        ({"noPeriods": 10, "pastWeeksNotIncluded": 210}, "t=212: the weeks that are left are all of one season"),
        ({"noPeriods": 1, "b": 1, "w": 0}, "1 weeks to compare with are too few"),
        ({"noPeriods": 1, "b": 2, "w": 0}, "2 weeks to compare with are too few"),
        ({"range": [30, 30]}, "t=30: 4 years with 3 weeks around are not all counted"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_in_words(
    control: dict[str, object], cause: str, tmp_path: Path
) -> None:
    series = written_series(tmp_path, YEARS)

    code, said, rows = detect(tmp_path, "farrington-flexible", series, **FARRINGTON | control)

    assert (code, rows) == (2, [])
    assert cause in " ".join(said.split())


@pytest.mark.parametrize("method", ["farrington-flexible", "ears-c1", "ears-c2", "ears-c3"])
def test_keys_that_change_no_number_are_taken(method: str, tmp_path: Path) -> None:
    series = written_series(tmp_path, YEARS)
    control: dict[str, object] = FARRINGTON if method == "farrington-flexible" else {"baseline": 7, "minSigma": 0}
    control = control | {"alpha": 0.001, "range": [275, 280], "freq": 52}
    plain = detect(tmp_path, method, series, **control)
    wordy = {"fitFun": "algo.farrington.fitGLM.flexible", "warnings": False, "glmWarnings": True, "method": "any"}

    assert plain[0] == 0
    assert detect(tmp_path, method, series, **control, **wordy, verbose=True) == plain


def test_a_file_as_a_spreadsheet_or_r_writes_it_says_the_same(tmp_path: Path) -> None:
    counts = [*YEARS[:-1], 90]
    plain = detect(tmp_path, "farrington-flexible", written_series(tmp_path, counts), **FARRINGTON, range=[270, 280])
    lines = ['"observed","note","t","epoch"', *(f'{count}.0,"a, b",{t},{t}' for t, count in enumerate(counts, start=1))]
    series = tmp_path / "series.csv"
    series.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())

    assert detect(tmp_path, "farrington-flexible", series, **FARRINGTON, range=[270, 280]) == plain


def test_counts_may_be_shares_of_a_call(tmp_path: Path) -> None:
    series = written_series(tmp_path, [3.5, 4.25, 2.5, 5.5, 4.5, 3.5, 6.5, 5.25])

    _, _, rows = detect(tmp_path, "ears-c1", series)

    assert (rows[0]["observed"], rows[0]["expected"][:5]) == ("5.25", "4.321")


def test_a_season_of_which_nothing_was_counted_is_undecided(tmp_path: Path) -> None:
    series = written_series(tmp_path, [*["NA"] * 40, *[8, 9, 7, 8] * 13])
    control = {"b": 1, "w": 3, "noPeriods": 5, "thresholdMethod": "muan", "pastWeeksNotIncluded": 26, "alpha": 0.6}

    _, _, rows = detect(tmp_path, "farrington-flexible", series, **control, range=[88, 89])

    assert {(row["upperbound"], row["alarm"]) for row in rows} == {("NA", "NA")}


@pytest.mark.timeout(20)
def test_a_bound_around_next_to_nothing_is_found_and_ends_the_search(tmp_path: Path) -> None:
    series = written_series(tmp_path, [*[0] * 100, 7, *[0] * 200])
    control = {"b": 1, "w": 3, "noPeriods": 2, "thresholdMethod": "muan", "weightsThreshold": 0.5, "alpha": 0.6}

    code, _, rows = detect(tmp_path, "farrington-flexible", series, **control, limit54=[0, 4], range=[150, 160])

    assert (code, len(rows)) == (0, 11)


def test_settings_are_one_json_object(tmp_path: Path) -> None:
    series = written_series(tmp_path, YEARS)
    config = written(tmp_path / "control.json", "[1, 2")
    files = ["--config", str(config), "--input", str(series), "--output", str(tmp_path / "out.csv")]

    answer = CliRunner().invoke(app, ["detect", "--method", "ears-c1", *files])

    assert answer.exit_code == 2
    assert "cannot be read as JSON" in answer.output


def test_the_command_line_loads_no_numbers_until_a_detector_runs() -> None:
    loaded = "import sys, alerts.surveillance.cli; print({'numpy', 'scipy'} & set(sys.modules) != set())"

    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "False"
