"""A talk by SIP that the flow has recorded, in the whole service: kept, journalled, opened by command, in the audit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from test_sip_call import House, house, house_with_everything, only

from tests.sip.listening import within

pytestmark = [pytest.mark.alone, pytest.mark.slow]

__all__ = ["house", "house_with_everything"]  # fixtures

SETTINGS = {"FLOW_FILE": str(Path(__file__).with_name("taped.yaml"))}


def test_a_talk_is_recorded_kept_and_opened_by_whoever_stands_in_the_audit(house: House, tmp_path: Path) -> None:
    line = house.providers["one-eleven"]
    caller, ear = house.call("+447700900150", keep_sound=True)
    caller.wait_answered()
    line.wait_called(within=60)
    house.wait_for_event("leg_answered")
    assert ear.wait_heard(150)
    caller.hang_up()
    house.wait_for(lambda kinds: kinds[-1:] == ["recording_reported"], "no word of the recording")
    events = house.service.events(house.newest_call())
    told = only(events, "recording_reported")
    assert (told["kept_by"], told["outcome"]) == ("callrouter", "completed")
    assert not list(house.asterisk.folder.rglob("*.alaw")), "nothing is left on Asterisk's disk"

    call = house.newest_call()
    done = house.service.run("call", "recording", call, "--folder", str(tmp_path), "--by", "sam")
    (file,) = tmp_path.iterdir()
    assert (done.returncode, done.stdout.strip()) == (0, str(file)), done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert within(file.read_bytes(), ear.sound) > 0.4 > within(file.read_bytes(), ear.sound[::-1])
    assert house.service.run("call", "recording", "f" * 32).returncode == 1
    with closing(sqlite3.connect(house.service.folder / "data/callrouter.db")) as database:
        entries = database.execute("SELECT call_ref, what, role FROM plan_audit").fetchall()
    assert entries[0] == (call, "recording_opened", "administrator")
