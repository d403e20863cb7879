"""Series and settings made up at random, and what R's ``surveillance`` makes of them, through files only."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

KINDS = ("poisson", "overdispersed", "sparse", "huge", "rising", "falling", "constant", "zeros", "step",
         "zeros then cases", "missing", "missing at first", "outbreaks", "early zeros", "one level",
         "zeros but one")  # fmt: skip
IGNORED = {"fitFun": "algo.farrington.fitGLM.flexible", "warnings": True, "glmWarnings": False, "verbose": False,
           "method": "any"}  # fmt: skip
"""Keys that change no number."""
SCRIPT = Path(__file__).with_name("judge.R")
Table = list[dict[str, str]]


def why_no_r() -> str | None:
    """The reason why R cannot be asked here, or None."""
    if shutil.which("Rscript") is None:
        return "Rscript is not installed: apt-get install r-cran-surveillance"
    asked = subprocess.run(["Rscript", "-e", "library(surveillance)"], capture_output=True, timeout=60, check=False)
    return None if asked.returncode == 0 else "R has no surveillance: apt-get install r-cran-surveillance"


@dataclass(frozen=True)
class Case:
    name: str
    method: str
    control: dict[str, Any]
    dated: bool
    kind: str
    freq: int = 52

    @property
    def ears(self) -> bool:
        return self.method.startswith("ears")


def made_up(number: int, rng: np.random.Generator, folder: Path) -> Case:
    """One case, its series and our settings written to ``folder``."""
    ears = rng.random() < 0.2
    dated = bool(rng.random() < 0.4)
    # What is no week has no calendar year here: epochs that are dates go with 52 alone.
    freq = 52 if ears or dated or rng.random() < 0.75 else int(rng.choice([4, 7, 12, 13, 26]))
    method, control, first = _ears(rng) if ears else _farrington(freq, rng)
    # Some have only just the history.
    length = first + int(rng.integers(0, 6) if rng.random() < 0.25 else rng.integers(20, 200))
    kind, counts = _series(length, freq, rng)
    start = int(rng.integers(first, max(first + 1, length - 12)))
    case = Case(f"case{number}", method, control | {"range": [start, min(start + 5, length)]}, dated, kind, freq)
    _write_series(folder / f"{case.name}_input.csv", counts, dated, rng)
    ignored = IGNORED if rng.random() < 0.3 else {}
    (folder / f"{case.name}.json").write_text(json.dumps(ignored | case.control | {"freq": freq}))
    return case


def _series(length: int, freq: int, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    kind = str(rng.choice(KINDS))
    t = np.arange(length)
    season = np.exp(rng.uniform(0, 1.2) * np.sin(2 * np.pi * (t / freq + rng.random())))
    level = float(np.exp(rng.uniform(-1, 5)))
    slope = {"rising": 3.0, "falling": -3.0}.get(kind, rng.uniform(-0.5, 0.5)) * t / length
    mean = level * season * np.exp(slope)
    if kind == "sparse":
        mean *= 0.3 / mean.mean()
    if kind == "huge":
        mean *= 10 ** rng.uniform(4, 7) / mean.mean()
    size = float(np.exp(rng.uniform(-1, 3)))
    counts = rng.poisson(mean if kind == "poisson" else rng.gamma(size, mean / size)).astype(float)
    if kind == "constant":
        counts[:] = rng.integers(1, 60)
    if kind == "zeros":
        counts[:] = 0
    if kind == "zeros but one":
        counts[:] = 0
        counts[int(rng.integers(0, length))] = rng.integers(1, 200)
    if kind in ("zeros then cases", "early zeros"):
        counts[: max(0, length - int(rng.integers(1, 30) if kind == "zeros then cases" else rng.integers(40, 200)))] = 0
    if kind == "step":
        counts[int(rng.integers(0, length)) :] *= int(rng.integers(2, 20))
    if kind == "missing":
        counts[rng.random(length) < rng.uniform(0.005, 0.05)] = math.nan
    if kind == "missing at first":
        counts[: int(rng.integers(1, max(2, length // 3)))] = math.nan
    if kind == "outbreaks":
        for at in rng.integers(0, length, 5):
            counts[at : at + 8] += rng.poisson(mean[at] * 4 + 5, len(counts[at : at + 8]))
    if kind == "one level":
        counts = rng.integers(0, 2, length).astype(float) + rng.integers(0, 30)
    return kind, counts


def _farrington(freq: int, rng: np.random.Generator) -> tuple[str, dict[str, Any], int]:
    years, width = int(rng.choice([1, 2, 3, 4, 5, 6])), int(rng.choice([0, 1, 2, 3, 3, 3, 3, 4, 5, 6]))
    # A season of a single count has no residual, and R's answer hangs on rounding; so does that of windows that touch.
    width = max(1, min(width, freq // 2 - 1))
    between = freq - 2 * width if years > 1 else 1 + (freq - 3 * width - 1) // 2
    control: dict[str, Any] = {
        "b": years,
        "w": width,
        "noPeriods": max(1, min(int(rng.integers(1, 21)), between)),
        "reweight": bool(rng.random() < 0.85),
        "weightsThreshold": float(rng.choice([0.5, 1, 1.5, 2, 2.58, 3])),
        "trend": bool(rng.random() < 0.8),
        "pThresholdTrend": float(rng.choice([0.01, 0.05, 0.2, 0.5, 1])),
        "thresholdMethod": str(rng.choice(["delta", "nbPlugin", "muan"])),
        "powertrans": str(rng.choice(["2/3", "1/2", "none"])),
        "alpha": float(rng.choice([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.6])),
        "limit54": [float(rng.choice([0, 2.5, 3, 5, 10])), int(rng.choice([1, 3, 4, 8]))],
        "populationOffset": bool(rng.random() < 0.2),
    }
    if years > 1 and rng.random() < 0.7:  # of one year it can leave a season of a single count
        control["pastWeeksNotIncluded"] = int(rng.choice([0, 3, 10, 26, 40]))
    if rng.random() < 0.3:  # what is not said is what R takes
        control = {name: value for name, value in control.items() if name in ("b", "w") or rng.random() < 0.5}
    return "farrington-flexible", control, max(freq * years + width + 2, 8)


def _ears(rng: np.random.Generator) -> tuple[str, dict[str, Any], int]:
    variant = str(rng.choice(["C1", "C2", "C3"]))
    baseline = int(rng.choice([7, rng.integers(3, 21)]))
    control: dict[str, Any] = {"method": variant, "baseline": baseline, "minSigma": float(rng.choice([0, 0.5, 1, 3]))}
    if rng.random() < 0.7:
        control["alpha"] = float(rng.choice([0.001, 0.01, 0.025, 0.05, 0.2]))
    return f"ears-{variant.lower()}", control, baseline + {"C1": 1, "C2": 3, "C3": 5}[variant]


def _write_series(file: Path, counts: np.ndarray, dated: bool, rng: np.random.Generator) -> None:
    first = date(2003, 12, 29) + timedelta(days=int(rng.integers(0, 3000)))
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("t", "epoch", "observed", "epochAsDate", "date"))
        for place, count in enumerate(counts):
            day = first + timedelta(weeks=place)
            epoch = (day - date(1970, 1, 1)).days if dated else place + 1
            observed = "NA" if math.isnan(count) else int(count)
            writer.writerow((place + 1, epoch, observed, str(dated).upper(), day.isoformat()))


def ask_r(cases: list[Case], folder: Path) -> dict[str, Table | str]:
    """R's rows, or the text of its error, by name of the case."""
    listed = ",\n".join(_r(_listed(case)) for case in cases)
    (folder / "cases.R").write_text(f"cases <- list({listed})\n")
    subprocess.run(["Rscript", str(SCRIPT), str(folder)], check=True, capture_output=True, timeout=3600)
    return {case.name: _answer(folder / case.name) for case in cases}


def _listed(case: Case) -> dict[str, object]:
    about = {"name": case.name, "ears": case.ears, "dated": case.dated, "freq": case.freq}
    return about | {"control": _for_r(case)}


def _answer(base: Path) -> Table | str:
    error = base.with_suffix(".error")
    return error.read_text() if error.exists() else rows(base.with_suffix(".csv"))


def rows(file: Path) -> Table:
    with file.open(newline="") as lines:
        return [{name: value.strip() for name, value in row.items()} for row in csv.DictReader(lines)]


def _for_r(case: Case) -> dict[str, Any]:
    first, last = case.control["range"]
    quiet = {} if case.ears else {"glmWarnings": False}
    return case.control | quiet | {"range": list(range(first, last + 1))}


def _r(value: object) -> str:
    match value:
        case bool():
            return str(value).upper()
        case str():
            return json.dumps(value)
        case dict():
            return "list(" + ", ".join(f"{name} = {_r(each)}" for name, each in value.items()) + ")"
        case list():
            return "c(" + ", ".join(map(_r, value)) + ")"
        case _:
            return repr(value)
