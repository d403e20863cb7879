"""Random bytes against every reader of plans, guided by coverage: `make fuzz-plans FOR=60`.

A reader may refuse with an error of its own, and nothing else; the rows that it gives go through the checks.
"""

from __future__ import annotations

import io
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["careplans", "infra.itk", "infra.hl7_time"]):
    from careplans.errors import CarePlanError
    from careplans.importer import check_plan_file, read_ndjson
    from careplans.screening import screen
    from careplans.sources.fhir import read_bundle
    from careplans.sources.itk import read_notes

TODAY = date(2026, 6, 15)
FOLDER = TemporaryDirectory(prefix="callrouter-fuzz-")


def read(data: bytes) -> None:
    """The first byte says which reader."""
    form, body = (data[0] % 5 if data else 0), data[1:]
    try:
        if form < 2:
            path = Path(FOLDER.name) / ("plans.csv" if form == 0 else "plans.json")
            path.write_bytes(body)
            rows = list(check_plan_file(path).rows())
        elif form == 2:
            rows = list(read_ndjson(io.StringIO(body.decode("utf-8", "replace"))))
        elif form == 3:
            rows = list(read_bundle(body.decode("utf-8", "replace"), "Demo Trust").rows)
        else:
            rows = list(read_notes(body, "Demo Trust"))
    except CarePlanError:
        return
    screened = screen(rows, TODAY, "Demo System")
    assert len(rows) == len(screened.good) + len(screened.gone) + len(screened.bad) + len(screened.refusals)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
