"""Farrington Flexible over many series at once, against R's ``farringtonFlexible`` on some of the same in the same run.

CPU of one process with one thread; the last week of each series is judged, with the improved settings of 2013.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.conformance.r_cases import why_no_r
from tests.running import ROOT

WEEKS = 320
SEED = 111
CONTROL = {
    "b": 5, "w": 3, "noPeriods": 10, "pastWeeksNotIncluded": 26, "weightsThreshold": 2.58, "pThresholdTrend": 1,
    "thresholdMethod": "nbPlugin", "alpha": 0.01,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """``series`` of ours; of the first ``rival`` of them R judges the same week."""

    series: int
    rival: int
    rounds: int


FULL = Size(series=10_000, rival=60, rounds=5)
QUICK = Size(series=200, rival=2, rounds=1)


def missing() -> list[str]:
    reason = why_no_r()
    return [reason] if reason else []


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Milliseconds of CPU for one week of one series, and what 10,000 series take."""
    folder.mkdir(parents=True)
    rounds = [_round(folder, size) for _ in range(size.rounds)]
    return {"conditions": {"weeks": WEEKS, "series": size.series, "r_series": size.rival}, "rounds": rounds}


def _round(folder: Path, size: Size) -> dict[str, Any]:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    sample = folder / "sample.csv"
    command = [sys.executable, "-m", "tests.bench.surveillance", str(size.series), str(size.rival), str(sample)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    ours = json.loads(done.stdout)
    rival = Path(__file__).parent / "rivals" / "farrington.R"
    answer = subprocess.run(["Rscript", str(rival), str(sample)], check=True, capture_output=True, text=True)
    spent, bounds = answer.stdout.splitlines()
    theirs = [None if each == "NA" else float(each) for each in bounds.split()]
    if theirs != ours.pop("bounds"):
        raise AssertionError("ours and R's bounds differ: the figures compare different work")
    return {"ours": ours, "r": {"ms_a_series": float(spent)}}


def _judge(series: int, rival: int, sample: Path) -> dict[str, Any]:
    import numpy as np

    from alerts.surveillance.control import FarringtonControl
    from alerts.surveillance.farrington import judge

    rng = np.random.default_rng(SEED)
    season = np.exp(0.4 * np.sin(2 * np.pi * np.arange(WEEKS) / 52))
    mean = np.exp(rng.uniform(0, 4, (series, 1))) * season
    counts = rng.poisson(rng.gamma(5, mean / 5)).astype(float)
    np.savetxt(sample, counts[:rival].T, fmt="%d", delimiter=",")
    control = FarringtonControl.model_validate(CONTROL)
    judge(counts[:50], [WEEKS], control)
    tenth, _, _ = _spent(counts[: series // 10], control)
    cpu, wall, found = _spent(counts, control)
    bounds = [None if np.isnan(each) else float(each) for each in found.bound[:rival, 0]]
    return {"ms_a_series": cpu * 1000 / series, "ms_a_series_of_a_tenth": tenth * 1000 / (series // 10),
            "all_s": wall, "live_s": _look(series), "bounds": bounds}  # fmt: skip


def _look(series: int) -> float:
    """CPU seconds of one live look at seven days of quarter-hours, by a model of as many series."""
    import numpy as np

    from alerts.surveillance.budget import Thresholds
    from alerts.surveillance.hourly import WINDOWS_H, HourModel
    from alerts.surveillance.live import Counts, Learnt, screen

    rng = np.random.default_rng(SEED)
    level = np.exp(rng.uniform(-2, 3, (series, 1)))
    model = HourModel(np.repeat(level, 168, axis=1), np.ones((series, len(WINDOWS_H))))
    calls = HourModel(np.full((1, 168), level.sum()), np.ones((1, len(WINDOWS_H))))
    demand = rng.poisson(level / 4, (series, 7 * 96)).astype(float)
    recent = Counts(
        [str(each) for each in range(series)], demand, demand.sum(axis=0), datetime(2026, 3, 23, tzinfo=UTC)
    )
    cpu = time.process_time()
    screen(Learnt(model, calls, Thresholds(6.0, 30.0)), recent)
    return time.process_time() - cpu


def _spent(counts: Any, control: Any) -> tuple[float, float, Any]:
    """CPU and wall seconds, and what was found."""
    from alerts.surveillance.farrington import judge

    wall, cpu = time.perf_counter(), time.process_time()
    found = judge(counts, [WEEKS], control)
    return time.process_time() - cpu, time.perf_counter() - wall, found


if __name__ == "__main__":
    print(json.dumps(_judge(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
