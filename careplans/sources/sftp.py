"""Plan files on an SFTP server: fetched into a folder of our own, going on where a transfer stopped, then read there.

What is fetched lies in clear on this machine's disk until it is read: the folder is for this process' user only, and a
file goes away once it was taken (docs/plan-sources.md, SFTP).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath

import asyncssh
import structlog

from careplans.sources.errors import SourceRefused, SourceUnreachable
from careplans.sources.files import FORMS, FolderSource
from careplans.sources.model import Batch
from infra.clock import Clock

log = structlog.get_logger()

CONNECT_S = 15.0
ANSWER_S = 60.0
PIECE = 256 * 1024
MARKS_FOR = timedelta(days=30)
"""How long the mark of a file that was read outlives the file on the server: while it lies there, for ever."""


@dataclass(frozen=True, slots=True)
class SftpAddress:
    """A folder on a server. ``known_hosts`` holds the server's own key, which is checked; ``key`` is ours."""

    host: str
    port: int
    user: str
    folder: str
    key: Path
    known_hosts: Path


@dataclass(frozen=True, slots=True)
class _Remote:
    path: str
    size: int
    changed_s: int
    done: bool

    @property
    def local_name(self) -> str:
        """A name that says nothing and that another version of the file does not have."""
        name = hashlib.sha256(f"{self.path}\0{self.size}\0{self.changed_s}".encode()).hexdigest()[:24]
        return f"{name}{PurePosixPath(self.path).suffix.lower()}"


class SftpSource:
    """The plan files of a folder on a server, as :class:`FolderSource` once they are here."""

    def __init__(
        self, address: SftpAddress, folder: Path, clock: Clock, *, system: str | None, whole: bool, settled_s: float
    ) -> None:
        self._address = address
        self._folder = folder
        self._clock = clock
        self._settled_s = settled_s
        # what is here is whole, whatever the sender's clock says of its time
        self._files = FolderSource(folder, clock, system=system, whole=whole, settled_s=None)

    async def read(self, cursor: str) -> AsyncIterator[Batch]:
        """See :class:`careplans.sources.model.PlanSource`."""
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        await self._fetch()
        async for batch in self._files.read(cursor):
            yield batch
        await asyncio.to_thread(self._empty)  # everything was stored: the pipeline asked for more

    async def _fetch(self) -> None:
        async with self._connected() as sftp:
            listed = await self._listed(sftp)
            for remote in sorted(filter(self._rests, listed), key=lambda remote: (remote.changed_s, remote.path)):
                if not self._mark(remote.local_name).exists():
                    await self._fetch_one(sftp, remote)
        await asyncio.to_thread(self._forget_marks, {self._mark(remote.local_name) for remote in listed})

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncssh.SFTPClient]:
        address = self._address
        try:
            async with (
                asyncssh.connect(
                    address.host,
                    address.port,
                    username=address.user,
                    client_keys=[str(address.key)],
                    known_hosts=str(address.known_hosts),
                    config=None,
                    agent_path=None,
                    preferred_auth="publickey",
                    connect_timeout=CONNECT_S,
                    keepalive_interval=ANSWER_S / 3,
                ) as connection,
                connection.start_sftp_client() as sftp,
            ):
                yield sftp
        except asyncssh.HostKeyNotVerifiable:
            raise SourceRefused("the server is not who it should be: its host key is another one") from None
        except asyncssh.PermissionDenied:
            raise SourceRefused("the server refuses our key") from None
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied):
            raise SourceRefused("the folder on the server is not there, or not ours to read") from None
        except (asyncssh.Error, OSError, TimeoutError) as error:
            log.info("plan_server_silent", error=type(error).__name__)
            raise SourceUnreachable("the server did not answer, or the transfer broke; it goes on from there") from None

    async def _listed(self, sftp: asyncssh.SFTPClient) -> list[_Remote]:
        """The plan files of the folder, those too that may still be written."""
        found = []
        names = await sftp.readdir(self._address.folder)
        done = {str(each.filename) for each in names}
        for each in names:
            name, size, changed_s = str(each.filename), each.attrs.size, each.attrs.mtime
            if PurePosixPath(name).suffix.lower() not in FORMS or name.startswith(".") or not size or changed_s is None:
                continue
            found.append(_Remote(f"{self._address.folder}/{name}", size, changed_s, f"{name}.done" in done))
        return found

    def _rests(self, remote: _Remote) -> bool:
        return remote.done or self._clock.now().timestamp() - remote.changed_s >= self._settled_s

    async def _fetch_one(self, sftp: asyncssh.SFTPClient, remote: _Remote) -> None:
        """Bring the file here, going on where an earlier transfer stopped; it is ours once it is whole."""
        part = self._folder / f".{remote.local_name}.part"
        have = part.stat().st_size if part.exists() else 0
        if have > remote.size:
            part.unlink()
            have = 0
        async with sftp.open(remote.path, "rb") as source:
            with part.open("ab") as here:
                part.chmod(0o600)
                while have < remote.size:
                    async with asyncio.timeout(ANSWER_S):
                        piece = await source.read(min(PIECE, remote.size - have), have)
                    if not piece:
                        break
                    await asyncio.to_thread(here.write, piece if isinstance(piece, bytes) else piece.encode())
                    have += len(piece)
        await self._verify(sftp, remote, part)
        os.utime(part, (remote.changed_s, remote.changed_s))  # in the order in which they were made
        part.rename(self._folder / remote.local_name)

    async def _verify(self, sftp: asyncssh.SFTPClient, remote: _Remote, part: Path) -> None:
        """Size and time as they were listed; and the digest, where the sender put one beside the file."""
        now = await sftp.stat(remote.path)
        size, digest = await asyncio.to_thread(_measure, part)
        told = f"{remote.path}.sha256"
        same = (now.size, now.mtime, size) == (remote.size, remote.changed_s, remote.size)
        if same and await sftp.exists(told):
            async with sftp.open(told, "r") as file:
                same = str(await file.read(200)).split()[:1] == [digest]
        if not same:
            await asyncio.to_thread(part.unlink)
            raise SourceUnreachable("a file is not what was announced; it is fetched again from its start")

    def _empty(self) -> None:
        """What was read goes away; an empty mark stays, so that it is not fetched again while it lies there."""
        for path in self._files.gone_through():
            self._mark(path.name).touch()
            path.unlink()

    def _forget_marks(self, listed: Set[Path]) -> None:
        """A file that has gone from the server is not fetched again: its mark says nothing any more."""
        before = self._clock.now().timestamp() - MARKS_FOR.total_seconds()
        for mark in self._folder.glob("*.taken"):
            if mark not in listed and mark.stat().st_mtime < before:
                mark.unlink()

    def _mark(self, local_name: str) -> Path:
        return self._folder / f"{local_name}.taken"


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
