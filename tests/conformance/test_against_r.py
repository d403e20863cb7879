"""Our detectors and R's, as a black box, on series and settings made up at random. ``CALLROUTER_R_CASES``: how many."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from alerts.surveillance.detect import detect_file
from alerts.surveillance.errors import SurveillanceError
from tests.conformance.r_cases import Case, Table, ask_r, made_up, rows, why_no_r
from tests.conformance.test_reference_results import compare

CASES = int(os.environ.get("CALLROUTER_R_CASES", "24"))
SEED = int(os.environ.get("CALLROUTER_R_SEED", "2026"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_series_and_settings_made_up_at_random_are_judged_as_r_judges_them(tmp_path: Path) -> None:
    if reason := why_no_r():
        pytest.skip(reason)
    rng = np.random.default_rng(SEED)
    cases = [made_up(number, rng, tmp_path) for number in range(CASES)]

    theirs = ask_r(cases, tmp_path)

    differing = [case for case in cases if not _agree(case, ours(case, tmp_path), theirs[case.name])]
    answered = sum(not isinstance(answer, str) for answer in theirs.values())
    times = sum(len(answer) for answer in theirs.values() if not isinstance(answer, str))
    print(f"\n{CASES} cases, {answered} answered by R, {times} times judged, {len(differing)} cases judged differently")
    assert not differing, [(case.name, case.kind, case.method, case.control) for case in differing[:5]]
    assert answered > CASES / 2


def ours(case: Case, folder: Path) -> Table | None:
    """None where the case is refused."""
    output = folder / f"{case.name}_ours.csv"
    try:
        detect_file(case.method, folder / f"{case.name}.json", folder / f"{case.name}_input.csv", output)  # type: ignore[arg-type]
    except SurveillanceError:
        return None
    return rows(output)


def _agree(case: Case, mine: Table | None, theirs: Table | str) -> bool:
    if mine is None or isinstance(theirs, str):
        # Where R stops with an error, a bound that is missing says as much.
        return isinstance(theirs, str)
    found = compare(mine, theirs)
    near = 1e-4 if case.control.get("thresholdMethod") == "delta" else 1e-6
    return not found.alarms and not found.missing and found.furthest <= near
