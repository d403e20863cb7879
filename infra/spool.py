"""A file of commits that the shared store has still to learn of, so that they outlive this process.

What is personal in it is sealed already, as it would be in the store. A process locks its own file; one that is not
locked was left by a dead process, and whoever starts next takes it in.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from infra.bus import Entry
from infra.packing import packed, unpacked
from infra.state import Stored, Version

log = structlog.get_logger()


@dataclass(slots=True)
class Owed:
    """What the shared store has still to learn of one call: its newest state, and the entries of all its steps.

    ``keep_s`` is what is left of its time; none is left of a state that would have been forgotten by now.
    """

    stored: Stored
    keep_s: float
    due_s: float | None
    entries: list[Entry] = field(default_factory=list)


class Spool:
    """This process' own file. An error of the disk is logged: the calls go on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"spool-{secrets.token_hex(8)}.jsonl"
        unlocked = self._path.with_suffix(".new")  # nobody may find it before it is locked
        self._file = os.open(unlocked, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        unlocked.rename(self._path)

    def add(self, call_ref: str, stored: Stored, entries: Sequence[Entry], keep_s: float, due_s: float | None) -> None:
        """Write down one commit. Survives the process at once, the machine a little later."""
        version = [stored.version.epoch, stored.version.step]
        line = [call_ref, version, _text(stored.value), _text(stored.wrapped_key), time.time() + keep_s, due_s]
        line.append([_text(part) for part in packed(entries)])
        octets = b"\n" + json.dumps(line).encode()  # a line of its own even after one that a full disk has cut off
        try:
            whole = os.write(self._file, octets) == len(octets)
        except OSError:
            whole = False
        if not whole:
            log.error("spool_not_written", call_ref=call_ref)

    def clear(self) -> None:
        """The store knows everything."""
        os.ftruncate(self._file, 0)

    def close(self, *, keep: bool) -> None:
        """Give the file up: for the next process to take in, or for good."""
        if not keep:
            self._path.unlink(missing_ok=True)
        os.close(self._file)

    def leftovers(self) -> list[Path]:
        """The files of processes that died, now this process' to settle and remove."""
        return [path for path in sorted(self._path.parent.glob("spool-*.jsonl")) if path != self._path and _free(path)]


def read_spool(path: Path) -> dict[str, Owed]:
    """What a file says, by call. A line that was cut off by the death of its writer is left out.

    Whoever held the callers' lines is dead: calls that had a due time are due at once, so that the sweep looks.
    """
    if not path.exists():
        return {}
    owed: dict[str, Owed] = {}
    for call_ref, stored, forget_at, due_s, entries in _lines(path):
        before, due = owed.get(call_ref), None if due_s is None else 0.0
        owed[call_ref] = Owed(stored, forget_at - time.time(), due, [*(before.entries if before else ()), *entries])
    return owed


def _lines(path: Path) -> Iterator[tuple[str, Stored, float, float | None, list[Entry]]]:
    for line in filter(None, path.read_bytes().split(b"\n")):
        try:
            call_ref, version, value, key, forget_at, due_s, entries = json.loads(line)
            stored = Stored(Version(*version), b64decode(value), b64decode(key))
            told = unpacked(*(b64decode(part) for part in entries))
        except (ValueError, TypeError):
            log.error("spool_line_cut_off", octets=len(line))
            continue
        yield call_ref, stored, forget_at, due_s, told


def _text(octets: bytes) -> str:
    return b64encode(octets).decode()


def _free(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
