"""A long plan file takes no more memory than a short one: `make plan-memory`, of 300 MB, in some minutes.

`make test-all` has files of 30 MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plan_world import plan

LONG_MB = int(os.environ.get("PLAN_FILE_MB", "0"))
SHORT_MB = 4  # a full batch of the longest plans
GROWTH_KB = 24 * 1024
"""For the allocator and the database's own cache: far below the length of the longer file in its long form."""

MEASURED = """
import resource, sys
from callrouter.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def lines(form: str, octets: int) -> Iterator[str]:
    """Plans with the longest detail, as one file of ``form``."""
    detail, written, line = "Zz detail. " * 1600, 0, 0
    while written < octets:
        line += 1
        values = {**plan(line, phones="07700 900101").values, "detail": detail}
        text = json.dumps(values)
        if form == "json":
            text = f"{'[' if line == 1 else ','}{text}\n"
        elif form == "ndjson":
            text += "\n"
        else:
            head = ",".join(values) + "\n" if line == 1 else ""
            text = head + ",".join(f'"{value}"' for value in values.values()) + "\n"
        written += len(text)
        yield text
    if form == "json":
        yield "]\n"


def import_file(folder: Path, form: str, megabytes: int) -> int:
    """The most memory that the import took, in kilobytes."""
    path = folder / f"plans-{megabytes}.{form}"
    with path.open("w") as file:
        file.writelines(lines(form, megabytes * 1024 * 1024))
    command = [sys.executable, "-c", MEASURED, "plan", "import", str(path), "--json"]
    environment = {**os.environ, "CALLROUTER_DATA_DIR": str(folder / f"data-{megabytes}")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["imported"] > megabytes * 40
    path.unlink()
    return int(done.stderr.split()[-1])


@pytest.mark.timeout(3600)
@pytest.mark.skipif(LONG_MB == 0, reason="LONG FORM: make plan-memory")
@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form: str) -> None:
    short, long = import_file(tmp_path, form, SHORT_MB), import_file(tmp_path, form, LONG_MB)
    print(f"{form}: {SHORT_MB} MB took {short} KB, {LONG_MB} MB took {long} KB")
    assert long - short < GROWTH_KB
