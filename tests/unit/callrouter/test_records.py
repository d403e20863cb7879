"""A record that this process sealed is not opened again, and what another has changed always is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from call_world import House
from msgspec.structs import replace

from callrouter import records as records_module
from callrouter.model import CallRecord
from callrouter.records import Records
from infra.crypto import DataKey, KeyRing, SealError
from infra.state import Stored, Version
from tests.within import in_full, says_all_of

OF_BEFORE = Path(__file__).parents[2] / "data" / "record-with-defaults.json"
KEYS = KeyRing(os.urandom(32), os.urandom(32))


@pytest.fixture
async def record(house: House) -> CallRecord:
    """A call in a talk: with replies, a session, times."""
    await house.talk()
    found = await house.door.record("call")
    assert found is not None
    return found


@pytest.fixture
def key() -> DataKey:
    return KEYS.new_data_key()


def test_what_is_known_is_what_another_process_reads(record: CallRecord, key: DataKey) -> None:
    ours, theirs = Records(KEYS), Records(KEYS)
    stored = ours.seal(record, key)
    assert ours.open("call", stored)[0] is record
    assert theirs.open("call", stored)[0] == record


def test_what_another_process_has_changed_is_read_anew(record: CallRecord, key: DataKey) -> None:
    ours, theirs = Records(KEYS), Records(KEYS)
    ours.seal(record, key)
    changed = replace(record, step=record.step + 1)
    assert ours.open("call", theirs.seal(changed, key))[0] == changed


def test_a_commit_that_lost_leaves_nothing_behind(record: CallRecord, key: DataKey) -> None:
    ours = Records(KEYS)
    stored = ours.seal(record, key)
    ours.seal(replace(record, step=99), key)  # never came into the store
    assert ours.open("call", stored)[0] == record


def test_the_octets_of_another_call_open_nothing(record: CallRecord, key: DataKey) -> None:
    ours = Records(KEYS)
    stored = ours.seal(record, key)
    with pytest.raises(SealError):
        ours.open("another", stored)


def test_a_call_that_is_over_is_forgotten_and_can_still_be_read(record: CallRecord, key: DataKey) -> None:
    ours = Records(KEYS)
    ours.seal(record, key)
    over = replace(record, ended="answered")
    stored = ours.seal(over, key)
    read, _ = ours.open("call", stored)
    assert read == over
    assert read is not over


def test_only_the_newest_are_known(record: CallRecord, key: DataKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "MOST_KNOWN", 3)
    ours = Records(KEYS)
    sealed = [(each, ours.seal(each, key)) for each in (replace(record, call_ref=str(n)) for n in range(5))]
    known = [ours.open(each.call_ref, stored)[0] is each for each, stored in sealed]
    assert known == [False, False, True, True, True]


def test_a_record_of_the_version_before_is_read_and_loses_nothing(key: DataKey) -> None:
    octets = OF_BEFORE.read_bytes().rstrip()
    stored = Stored(Version(1, 3), key.seal(octets, b"state:c0ffee"), key.wrapped)
    record, _ = Records(KEYS).open("c0ffee", stored)

    assert says_all_of(in_full(record), json.loads(octets))
    assert Records(KEYS).open("c0ffee", Records(KEYS).seal(record, key))[0] == record
