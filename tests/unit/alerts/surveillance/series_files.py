"""Files of counts for tests of the detectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

HEADER = "t,epoch,observed"


def written_series(folder: Path, counts: Sequence[object]) -> Path:
    lines = [HEADER, *(f"{t},{t},{count}" for t, count in enumerate(counts, start=1))]
    return written(folder / "series.csv", "\n".join(lines) + "\n")


def written_control(folder: Path, **control: object) -> Path:
    return written(folder / "control.json", json.dumps(control))


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file
