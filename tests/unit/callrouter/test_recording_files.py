"""The file of a talk that somebody opens: the whole of it, or nothing."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from callrouter.cli.call import write_new


def test_a_disk_that_is_full_leaves_no_half_of_a_talk(tmp_path: Path) -> None:
    file = tmp_path / "recording.wav"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_new(file, bytes(8192))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not file.exists()


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "recording.wav"
    write_new(file, b"first")
    with pytest.raises(FileExistsError):
        write_new(file, b"second")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"first", 0o600)
