"""Files of plans that are dropped in a folder."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from careplans.reading import read_plans
from careplans.rows import COLUMNS
from careplans.sealing import Sealer
from careplans.sources.errors import SourceRefused, SourceUnreachable
from careplans.sources.files import FolderSource
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from careplans.tables import plans
from infra.crypto import KeyRing
from infra.sql import Database
from tests.plan_world import SYSTEM, HandClock, plan

TRUST = Sender("trust", SYSTEM)
KEYS = KeyRing(b"m" * 32, b"i" * 32)


class TestFolder:
    """Files that are dropped in a folder."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "drop").mkdir()
        return tmp_path / "drop"

    @pytest.fixture
    def source(self, folder: Path, clock: HandClock) -> FolderSource:
        return FolderSource(folder, clock, system=SYSTEM, whole=True)

    def put(self, folder: Path, name: str, rows: Sequence[Any], clock: HandClock, age_s: float = 61) -> Path:
        path = folder / name
        with path.open("w", newline="") as file:
            if path.suffix == ".csv":
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(row.values for row in rows)
            elif path.suffix == ".json":
                json.dump([dict(row.values) for row in rows], file)  # as programs write it: on one line
            else:
                file.writelines(json.dumps(dict(row.values)) + "\n" for row in rows)
        then = clock.now().timestamp() - age_s
        os.utime(path, (then, then))
        return path

    async def test_a_file_is_taken_once_under_whatever_name_it_comes_again(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        self.put(folder, "a.ndjson", [plan(101)], clock)
        (delivered,) = await runs.run(TRUST, source)
        assert (delivered.run.imported, delivered.run.whole) == (1, True)
        self.put(folder, "b.ndjson", [plan(101)], clock)
        assert await runs.run(TRUST, source) == []

    async def test_a_file_that_is_still_being_written_waits(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        path = self.put(folder, "a.ndjson", [plan(101)], clock, age_s=5)
        self.put(folder, "b.ndjson.part", [plan(102)], clock)
        self.put(folder, ".c.ndjson", [plan(103)], clock)
        assert await runs.run(TRUST, source) == []
        (folder / f"{path.name}.done").touch()
        (delivered,) = await runs.run(TRUST, source)
        assert delivered.run.imported == 1

    async def test_a_list_older_than_one_already_read_withdraws_nothing(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        sender = Sender("trust", SYSTEM, most_withdrawn=1.0)
        self.put(folder, "new.ndjson", [plan(101), plan(102)], clock)
        await runs.run(sender, source)
        self.put(folder, "old.ndjson", [plan(101)], clock, age_s=3600)
        (late,) = await runs.run(sender, source)
        assert (late.run.whole, late.run.withdrawn) == (False, 0)

    async def test_a_broken_file_is_named_and_the_next_one_is_read(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        path = self.put(folder, "a.csv", [], clock, age_s=90)
        path.write_bytes(b"plan_id,version,withdrawn\nP1,caf\xe9,yes\n")
        os.utime(path, (clock.now().timestamp() - 90,) * 2)
        self.put(folder, "b.ndjson", [plan(101)], clock)
        broken, read = await runs.run(TRUST, source)
        assert [(f.line, f.field, f.reason) for f in broken.refused] == [
            (2, "file", "is not text in UTF-8; save it with that encoding (in a spreadsheet: save as CSV UTF-8)")
        ]
        assert (broken.run.why, read.run.imported) == ("broken", 1)

    @pytest.mark.parametrize("name", ["a.ndjson", "a.json"])
    async def test_cut_off_within_a_long_file_the_next_run_goes_on_with_it(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock, name: str
    ) -> None:
        self.put(folder, name, [plan(line, phones="", nhs_number="") for line in range(1, 451)], clock)

        class CutOff(FolderSource):
            async def read(self, cursor: str):  # type: ignore[no-untyped-def]
                async for batch in super().read(cursor):
                    yield batch
                    raise SourceUnreachable("cut off")

        with pytest.raises(SourceUnreachable):
            await runs.run(TRUST, CutOff(folder, clock, system=SYSTEM, whole=True))
        (delivered,) = await runs.run(TRUST, source)
        assert (delivered.run.records, delivered.run.imported, delivered.run.unchanged) == (450, 450, 0)

    async def test_of_two_copies_on_one_line_of_json_the_second_is_refused_by_its_place(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        copy = plan(102, handler_line="Copied, and not finished.", plan_id=plan(101).values["plan_id"])
        self.put(folder, "a.json", [plan(101), copy, plan(103, version="?")], clock)
        (delivered,) = await runs.run(TRUST, source)
        assert delivered.run.imported == 1
        assert sorted((f.line, f.field) for f in delivered.refused) == [(2, "plan_id"), (3, "version")]

    async def test_a_file_that_goes_away_while_it_is_read_is_no_fault_of_the_store(
        self, folder: Path, runs: PlanRuns, clock: HandClock
    ) -> None:
        path = self.put(folder, "a.ndjson", [plan(line, phones="") for line in range(1, 451)], clock)

        class TakenAway(FolderSource):
            async def read(self, cursor: str):  # type: ignore[no-untyped-def]
                async for batch in super().read(cursor):
                    yield batch
                    path.unlink(missing_ok=True)

        with pytest.raises(SourceUnreachable, match="changed while it was read"):
            await runs.run(TRUST, TakenAway(folder, clock, system=SYSTEM, whole=True))

    async def test_a_folder_that_is_not_there_is_said(self, runs: PlanRuns, clock: HandClock, tmp_path: Path) -> None:
        with pytest.raises(SourceRefused, match="cannot be read"):
            await runs.run(TRUST, FolderSource(tmp_path / "none", clock, system=SYSTEM, whole=False))

    @pytest.mark.parametrize("name", ["a.csv", "a.ndjson"])
    async def test_a_formula_is_text_and_stays_as_it_was(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock, database: Database, name: str
    ) -> None:
        formula = "=cmd|' /C calc'!A0"
        self.put(folder, name, [plan(101, handler_line=formula, detail=formula)], clock)
        (delivered,) = await runs.run(TRUST, source)
        assert delivered.run.imported == 1
        ids = await database.read(lambda connection: connection.execute(select(plans.c.id)).scalars().all())
        (stored,) = await read_plans(database, ids)
        content = Sealer(KEYS).open_content(stored.found.id, stored.sealed)
        assert (content.handler_line, content.detail) == (formula, formula)
