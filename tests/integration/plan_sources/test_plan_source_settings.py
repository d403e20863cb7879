"""The file of sources: what is refused, by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from careplans.sources.errors import SourceSettingsWrong
from careplans.sources.settings import read_sources

WRONG = {
    "unknown_key": ("colour: red", "2: sources.0.folder.colour: there is no such field"),
    "bad_name": ("name: Bad Name", "2: sources.0.folder.name: does not have the form"),
    "no_folder": ("kind: push", "2: sources.0.push."),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_of_sources_is_refused_by_line(tmp_path: Path, case: str) -> None:
    line, cause = WRONG[case]
    fields = {"kind": "folder", "name": "trust", "system": "Demo", "folder": "/x", "delivers": "changes"}
    key, _, value = line.partition(": ")
    file = tmp_path / "sources.yaml"
    file.write_text("sources:\n- " + "\n  ".join(f"{k}: {v}" for k, v in (fields | {key: value}).items()) + "\n")
    with pytest.raises(SourceSettingsWrong) as raised:
        read_sources(file)
    assert cause.split(": ", 1)[1] in str(raised.value)


def test_the_name_of_what_is_imported_by_hand_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text("sources:\n- {kind: folder, name: import, system: Demo, folder: /x, delivers: changes}\n")
    with pytest.raises(SourceSettingsWrong, match=r":2: sources.0.name: import is taken"):
        read_sources(file)


def test_two_sources_of_one_name_or_system_are_refused(tmp_path: Path) -> None:
    one = "{kind: folder, name: trust, system: Demo, folder: /x, delivers: changes}"
    file = tmp_path / "sources.yaml"
    file.write_text(f"sources:\n- {one}\n- {one.replace('trust', 'other')}\n")
    with pytest.raises(SourceSettingsWrong, match=r":3: sources.1.system: Demo is taken"):
        read_sources(file)
