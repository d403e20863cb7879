"""Plan files that somebody drops in a folder (docs/plan-sources.md, files).

A file is taken when it has not changed for a while, or when a file of the same name with ``.done`` behind it stands
beside it; names that begin with a dot or end in ``.part`` or ``.tmp`` are still being written. It stays where it is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import structlog

from careplans.errors import PlanFileError
from careplans.importer import PlanFile, check_plan_file
from careplans.model import RowFault
from careplans.rows import Row
from careplans.sources.errors import SourceRefused, SourceUnreachable
from careplans.sources.model import BATCH, Batch
from infra.clock import Clock

log = structlog.get_logger()

SETTLED_S = 60.0
"""Longer than any sender pauses within one file."""

REMEMBERED = 200
"""Files that are known again by their digest: half a year of daily files."""

FORMS = {".csv", ".json", ".ndjson"}


@dataclass(slots=True)
class _Cursor:
    """What was done: digests, newest last; the time of the newest file; the file that is being read, to which line."""

    done: list[str] = field(default_factory=list)
    newest_ns: int = 0
    now: str = ""
    line: int = 0

    @classmethod
    def parse(cls, text: str) -> _Cursor:
        return cls(**json.loads(text)) if text else cls()

    def text(self) -> str:
        return json.dumps({"done": self.done, "newest_ns": self.newest_ns, "now": self.now, "line": self.line})

    def finish(self, digest: str, changed_ns: int) -> None:
        self.done = [*self.done, digest][-REMEMBERED:]
        self.newest_ns = max(self.newest_ns, changed_ns)
        self.now, self.line = "", 0


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    size: int
    changed_ns: int

    def same(self) -> bool:
        """Whether the file is still the one that was found."""
        return _look(self.path) == self


class OneFile:
    """A file that a person names: taken once, changes only, however often it was taken before."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, cursor: str) -> AsyncIterator[Batch]:
        """See :class:`careplans.sources.model.PlanSource`. Raises :class:`PlanFileError` before the first batch."""
        file = await asyncio.to_thread(check_plan_file, self._path)
        at = _Cursor.parse(cursor)
        going_on = at.now == file.digest
        batches = _batches(file.rows(), after=at.line if going_on else 0)
        while (portion := await asyncio.to_thread(next, batches, None)) is not None:
            at.now, at.line = ("", 0) if portion.last else (file.digest, portion.rows[-1].line)
            yield Batch(portion.rows, at.text(), not going_on, portion.last)
            going_on = True


class FolderSource:
    """The plan files of one folder, oldest first. ``whole``: each is a full list of what its system has.

    ``settled_s``: how long a file must not have changed; None where every file that lies there is whole.
    """

    def __init__(
        self, folder: Path, clock: Clock, *, system: str | None, whole: bool, settled_s: float | None = SETTLED_S
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._system = system
        self._whole = whole
        self._settled_s = settled_s
        self._digests: dict[_Found, str] = {}  # of files that were done: they need not be read again to know it

    async def read(self, cursor: str) -> AsyncIterator[Batch]:
        """See :class:`careplans.sources.model.PlanSource`."""
        at = _Cursor.parse(cursor)
        for found in await asyncio.to_thread(self._waiting):
            if self._digests.get(found) in at.done:
                continue
            async for batch in self._one(found, at):
                yield batch
        self._digests = {found: digest for found, digest in self._digests.items() if found.path.exists()}

    def gone_through(self) -> list[Path]:
        """The files that are done with; asked after a read that came to its end."""
        return [found.path for found in self._digests]

    async def _one(self, found: _Found, at: _Cursor) -> AsyncIterator[Batch]:
        digest, rows = await asyncio.to_thread(self._open, found)
        self._digests[found] = digest
        if digest in at.done:
            return
        going_on = digest == at.now
        if not going_on:
            at.now, at.line = digest, 0
        # a list that is older than one that was read already does not know what came since
        whole = self._whole and found.changed_ns >= at.newest_ns
        batches = _batches(rows, after=at.line)
        while (portion := await asyncio.to_thread(next, batches, None)) is not None:
            if not await asyncio.to_thread(found.same):
                raise SourceUnreachable("a file changed while it was read; it is read again when it rests")
            if portion.last:
                at.finish(digest, found.changed_ns)
            else:
                at.line = portion.rows[-1].line
            yield Batch(portion.rows, at.text(), not going_on, portion.last, whole, broken=portion.broken)
            going_on = True

    def _waiting(self) -> list[_Found]:
        """The files that may be read now. Raises :class:`SourceRefused` where the folder cannot be."""
        try:
            found = [_look(path) for path in self._folder.iterdir() if _is_whole_name(path)]
        except OSError as error:
            raise SourceRefused(f"the folder cannot be read: {error.strerror}") from None
        ready = [each for each in found if each is not None and self._is_settled(each)]
        return sorted(ready, key=lambda each: (each.changed_ns, each.path.name))

    def _is_settled(self, found: _Found) -> bool:
        if self._settled_s is None or found.path.with_name(f"{found.path.name}.done").exists():
            return True
        return self._clock.now().timestamp() - found.changed_ns / 1e9 >= self._settled_s

    def _open(self, found: _Found) -> tuple[str, Iterator[Row | RowFault]]:
        """Digest and rows of a file; of one that is not what it says, its fault is all that it brings."""
        try:
            file: PlanFile = check_plan_file(found.path, self._system)
        except PlanFileError as error:
            log.warning("plan_file_unreadable", line=error.line, cause=error.cause)
            return f"{found.size}-{found.changed_ns}", iter([RowFault(error.line, "file", error.cause)])
        return file.digest, file.rows()


def _look(path: Path) -> _Found | None:
    try:
        stat = path.stat()
    except FileNotFoundError:  # taken away since the folder was listed
        return None
    return _Found(path, stat.st_size, stat.st_mtime_ns) if path.is_file() else None


def _is_whole_name(path: Path) -> bool:
    return path.suffix.lower() in FORMS and not path.name.startswith(".")


@dataclass(frozen=True, slots=True)
class _Portion:
    rows: tuple[Row, ...]
    last: bool
    broken: RowFault | None = None


def _batches(rows: Iterator[Row | RowFault], after: int) -> Iterator[_Portion]:
    """Portions of the rows after a line. The last is marked, and may be empty."""
    left = (row for row in rows if row.line > after)
    while True:
        try:
            taken = list(islice(left, BATCH))
        except PlanFileError:
            raise SourceUnreachable("a file changed while it was read; it is read again when it rests") from None
        broken = next((each for each in taken if isinstance(each, RowFault)), None)
        portion = tuple(each for each in taken if isinstance(each, Row))
        last = broken is not None or len(taken) < BATCH
        yield _Portion(portion, last, broken)
        if last:
            return
