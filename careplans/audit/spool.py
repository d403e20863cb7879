"""Entries that the database would not take, kept until it does: in memory, and in a file that outlives the process.

Nothing in an entry is personal. A process locks its own file; one that is not locked was left by a dead process, and
whoever starts next takes it in. An entry's id keeps it from being entered twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import structlog

from careplans.audit.chain import AuditEntry, What

_log = structlog.get_logger(__name__)


class AuditSpool:
    """The spool of one process. ``folder`` None keeps entries in memory only: for one command, and tests.

    Never raises: what the disk does not take is still in memory and in the log, and :attr:`is_safe` says so.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._waiting: list[AuditEntry] = []
        self._file: int | None = None
        self._is_safe = True
        if folder is not None:
            try:
                self._open(folder)
            except OSError as error:
                self._not_safe("audit_spool_not_made", error)

    @property
    def is_safe(self) -> bool:
        """Whether what waits would outlive this process, as far as the folder that was given has taken it so far."""
        return self._is_safe

    def keep(self, entries: Sequence[AuditEntry]) -> None:
        """Keep ``entries``, in order, after those that wait already. Each is an error line of the log, too."""
        self._waiting += entries
        for each in entries:
            said = asdict(each) | {"at": each.at.isoformat(), "what": str(each.what)}
            del said["about"]  # a reference that was opened there opens again
            _log.error("audit_entry_spooled", **said)
        self._write(entries)

    def waiting(self) -> tuple[AuditEntry, ...]:
        """What waits, oldest first."""
        return tuple(self._waiting)

    def entered(self, entries: Sequence[AuditEntry]) -> None:
        """These are in the chain now. Known by their ids: of two who enter at once, both forget the same ones."""
        gone = {each.entry for each in entries}
        self._waiting = [each for each in self._waiting if each.entry not in gone]
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, 0)
        except OSError as error:  # what stays in it is known by its ids when it is taken in
            self._not_safe("audit_spool_not_emptied", error)
        else:
            self._is_safe = True
            self._write(self._waiting)

    def wrong_tries(self, actor: str, call_ref: str) -> int:
        """How many wrong checks of this person in this call wait here, so that a failure adds no tries."""
        mine = (each for each in self._waiting if (each.actor, each.call_ref) == (actor, call_ref))
        return len({each.attempt for each in mine if each.what == What.CHECKED_WRONG})

    def close(self) -> None:
        """Give the file up; whoever opens the folder next takes in what waits."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"audit-{secrets.token_hex(8)}.jsonl"
        unlocked = path.with_suffix(".new")  # nobody may find it before it is locked
        file = os.open(unlocked, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            unlocked.rename(path)
        except OSError:
            os.close(file)
            raise
        self._file = file
        for left in sorted(folder.glob("audit-*.jsonl")):
            if left != path:
                self._take_in(left)

    def _take_in(self, left: Path) -> None:
        try:
            with left.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found = [entry for line in file.read().splitlines() if (entry := _entry(line)) is not None]
                self._waiting += found
                self._write(found)
                left.unlink()
        except OSError:
            return  # its process lives, or another one was quicker

    def _write(self, entries: Sequence[AuditEntry]) -> None:
        if self._file is None or not entries:
            return
        octets = "".join(f"{json.dumps(asdict(each), default=datetime.isoformat)}\n" for each in entries).encode()
        try:
            if os.write(self._file, octets) != len(octets):
                raise OSError("cut off")
        except OSError as error:
            self._not_safe("audit_spool_not_written", error)

    def _not_safe(self, event: str, error: OSError) -> None:
        self._is_safe = False
        _log.error(event, error=type(error).__name__, waiting=len(self._waiting))


def _entry(line: bytes) -> AuditEntry | None:
    try:
        values = json.loads(line)
        return AuditEntry(**{**values, "at": datetime.fromisoformat(values["at"])})
    except (ValueError, TypeError, KeyError):
        _log.error("audit_spool_line_cut_off", octets=len(line))
        return None
