"""``plan erase``, ``hold``, ``export``, ``rotate-keys`` as they are typed, over a real database of the settings."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from callrouter.cli.commands import commands
from callrouter.cli.common import SEALED
from infra.keys import new_pair

PLANS = """\
plan_id,source,author_org,kind,nhs_number,given_name,family_name,date_of_birth,phones,handler_line,detail,valid_from,version
P1,Demo Trust,Hospice,end of life plan,9990000018,Zzedith,Zzexample,1938-04-12,07700 900101,Zzline,Zzdetail,2026-05-04,1
"""


def run(*words: str | Path, typed: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(commands(), ["plan", *map(str, words)], input=typed)
    return result.exit_code, result.output


def plan_id() -> str:
    code, out = run("lookup", "07700 900101")
    assert code == 0
    return out.splitlines()[1].split(",")[0].strip()


def test_a_plan_is_held_exported_rotated_and_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "plans.csv").write_text(PLANS)
    assert run("import", tmp_path / "plans.csv")[0] == 0
    plan = plan_id()
    assert run("hold", plan, "--why", "inquest") == (0, "held\n")
    code, out = run("erase", plan, "--why", "erasure_request")
    assert (code, "under a legal hold" in out) == (1, True)
    assert run("lift-hold", plan) == (0, "lifted\n")
    code, out = run("export", plan, "--folder", tmp_path, "--by", "zzgovernor")
    assert code == 0
    assert all("Zzdetail" in Path(line).read_text() for line in out.split())
    keys = tmp_path / "data" / "keys"
    keys.write_text(f"{new_pair()}\n{keys.read_text()}")
    code, out = run("rotate-keys")
    assert (code, "may be removed" in out) == (0, True)
    keys.write_text(keys.read_text().splitlines()[0])
    assert plan_id() == plan
    assert run("erase", plan, "--why", "erasure_request") == (0, "1 erased\n")
    assert run("lookup", "07700 900101") == (0, "none (no_plan)\n")
    assert run("expire") == (0, "0 records ended\n")
    assert run("export", plan)[0] == 1
    result = CliRunner().invoke(commands(), ["audit", "verify"])
    assert "no change found" in result.output


def test_a_restricted_patient_is_found_by_who_they_are_and_each_search_is_in_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    (tmp_path / "plans.csv").write_text(PLANS.replace(",version", ",version,restricted").replace(",1\n", ",1,yes\n"))
    assert run("import", tmp_path / "plans.csv")[0] == 0
    assert run("lookup", "07700 900101") == (0, "none (no_plan)\n")
    for typed in ("999 000 0018\n", "\nZzexample\n1938-13-12\n1938-04-12\n"):
        code, out = run("find", typed=typed)
        assert code == 0
        assert "1 plan(s), 1 possible person(s)" in out
    assert "none (not_an_nhs_number)" in run("find", typed="9990000019\n")[1]
    with closing(sqlite3.connect(tmp_path / "callrouter.db")) as database:
        assert database.execute("SELECT count(*) FROM plan_audit WHERE what = 'searched'").fetchone() == (3,)


def test_a_change_of_keys_forgets_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path))
    assert run("lookup", "07700 900101")[0] == 0  # which makes the database
    with closing(sqlite3.connect(tmp_path / "callrouter.db")) as database:
        query = "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'wrapped_key'"
        there = {name for (name,) in database.execute(query)}
    assert there == {each.table.name for each in SEALED}


def test_discarding_is_told_by_who_did_it_when_and_why_and_the_audit_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLROUTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "plans.csv").write_text(PLANS.replace("end of life plan", "zzunknown"))
    assert run("import", tmp_path / "plans.csv")[0] == 1
    record = run("quarantine")[1].split()[0]
    assert run("quarantine", "discard", record)[0] == 2  # why?
    assert run("quarantine", "discard", record, "--why", "no_plan", "--by", "zzgovernor") == (0, "")
    assert run("quarantine", "discard", record, "--why", "no_plan")[0] == 1
    assert run("quarantine")[1].strip() == ""
    code, out = run("quarantine", "discarded")
    assert (code, out.startswith(f"{record} import: no_plan, "), "zz" in out) == (0, True, False)
    code, out = run("quarantine", "discarded", "--json")
    assert json.loads(out)[0]["record"] == record
    assert "no change found" in CliRunner().invoke(commands(), ["audit", "verify"]).output
