"""Plan files fetched from a real OpenSSH server."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from careplans.sources.errors import SourceRefused, SourceUnreachable
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from careplans.sources.sftp import SftpAddress, SftpSource
from infra.crypto import KeyRing
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.missing import or_skip
from tests.plan_world import SYSTEM, HandClock, plan
from tests.ssh_server import SshServer

TRUST = Sender("trust", SYSTEM)
CLOCK = HandClock()
OLD = CLOCK.now().timestamp() - 600


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with or_skip(), SshServer() as server:
        yield server


@pytest.fixture
def remote(server: SshServer) -> Iterator[Path]:
    """The folder on the server, empty."""
    yield server.folder
    for path in server.folder.iterdir():
        path.unlink()


@pytest.fixture
def address(server: SshServer, remote: Path) -> SftpAddress:
    return SftpAddress("127.0.0.1", server.port, server.user, str(remote), server.key, server.known_hosts)


@pytest.fixture
async def runs(tmp_path: Path) -> AsyncIterator[PlanRuns]:
    database = connect_database(f"sqlite:///{tmp_path}/plans.db")
    await upgrade_database(database)
    yield PlanRuns(database, KeyRing(b"m" * 32, b"i" * 32), CLOCK)
    await database.close()


def source(address: SftpAddress, folder: Path) -> SftpSource:
    return SftpSource(address, folder / "spool", CLOCK, system=SYSTEM, whole=False, settled_s=60)


def put(remote: Path, name: str, *lines: int, detail: str = "") -> Path:
    path = remote / name
    rows = [json.dumps(dict(plan(line, detail=detail).values)) for line in lines]
    path.write_text("\n".join(rows) + "\n")
    os.utime(path, (OLD, OLD))
    return path


async def test_files_are_fetched_once_and_nothing_of_them_stays_here(
    address: SftpAddress, remote: Path, runs: PlanRuns, tmp_path: Path
) -> None:
    put(remote, "Zzname.ndjson", 101, 102)
    put(remote, "b.ndjson.part", 103)
    (delivered,) = await runs.run(TRUST, source(address, tmp_path))
    assert delivered.run.imported == 2
    assert await runs.run(TRUST, source(address, tmp_path)) == []
    left = list((tmp_path / "spool").iterdir())
    assert [(path.suffix, path.stat().st_size) for path in left] == [(".taken", 0)]
    assert "Zzname" not in left[0].name
    put(remote, "Zzname.ndjson", 101, 102, 104)
    (delivered,) = await runs.run(TRUST, source(address, tmp_path))
    assert delivered.run.imported == 1


async def test_marks_of_files_that_have_gone_from_the_server_go_after_a_month(
    address: SftpAddress, remote: Path, runs: PlanRuns, tmp_path: Path
) -> None:
    def age(path: Path, **by: float) -> None:
        at = (CLOCK.now() - timedelta(**by)).timestamp()
        os.utime(path, (at, at))

    gone = put(remote, "gone.ndjson", 101)
    await runs.run(TRUST, source(address, tmp_path))
    (mark,) = (tmp_path / "spool").glob("*.taken")
    put(remote, "stays.ndjson", 102)
    await runs.run(TRUST, source(address, tmp_path))
    (stays,) = set((tmp_path / "spool").glob("*.taken")) - {mark}
    gone.unlink()
    age(stays, days=400)
    age(mark, days=29)
    await runs.run(TRUST, source(address, tmp_path))
    assert mark.exists()
    age(mark, days=31)
    assert await runs.run(TRUST, source(address, tmp_path)) == []
    assert not mark.exists()
    assert stays.exists(), "it still lies there: without its mark it would be fetched again"


async def test_a_file_from_a_server_whose_clock_is_ahead_is_read(
    address: SftpAddress, remote: Path, runs: PlanRuns, tmp_path: Path
) -> None:
    path = put(remote, "a.ndjson", 101)
    ahead = CLOCK.now().timestamp() + 30
    os.utime(path, (ahead, ahead))
    (remote / "a.ndjson.done").touch()
    (delivered,) = await runs.run(TRUST, source(address, tmp_path))
    assert delivered.run.imported == 1
    assert [path.suffix for path in (tmp_path / "spool").iterdir()] == [".taken"]


async def test_a_transfer_that_was_cut_off_goes_on_from_its_octet(
    address: SftpAddress, remote: Path, runs: PlanRuns, tmp_path: Path
) -> None:
    """The half that is here already is not asked for again: it differs on the server by now, and the digest tells."""
    whole = put(remote, "a.ndjson", 101, 102, detail="Zz" * 500)
    octets = whole.read_bytes()
    reading = source(address, tmp_path).read("")
    await anext(reading)
    await reading.aclose()
    (here,) = (tmp_path / "spool").glob("*.ndjson")
    half = here.with_name(f".{here.name}.part")
    half.write_bytes(octets[: len(octets) // 2])
    here.unlink()
    whole.write_bytes(b"#" * (len(octets) // 2) + octets[len(octets) // 2 :])
    os.utime(whole, (OLD, OLD))
    (remote / "a.ndjson.sha256").write_text(f"{hashlib.sha256(octets).hexdigest()}  a.ndjson\n")
    (delivered,) = await runs.run(TRUST, source(address, tmp_path))
    assert delivered.run.imported == 2


async def test_a_file_that_is_not_what_its_digest_says_is_not_read(
    address: SftpAddress, remote: Path, runs: PlanRuns, tmp_path: Path
) -> None:
    path = put(remote, "a.ndjson", 101)
    digest = path.with_name("a.ndjson.sha256")
    digest.write_text("0" * 64)
    with pytest.raises(SourceUnreachable, match="not what was announced"):
        await runs.run(TRUST, source(address, tmp_path))
    assert await runs.runs() == []
    digest.write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    (delivered,) = await runs.run(TRUST, source(address, tmp_path))
    assert delivered.run.imported == 1


async def test_a_server_with_another_host_key_is_refused(
    address: SftpAddress, server: SshServer, runs: PlanRuns, tmp_path: Path
) -> None:
    other = tmp_path / "known_hosts"
    other.write_text(f"[127.0.0.1]:{server.port} {server.other_key.with_suffix('.pub').read_text()}")
    with pytest.raises(SourceRefused, match="host key"):
        await runs.run(TRUST, source(replace(address, known_hosts=other), tmp_path))


async def test_another_key_of_ours_is_refused(
    address: SftpAddress, server: SshServer, runs: PlanRuns, tmp_path: Path
) -> None:
    with pytest.raises(SourceRefused, match="our key"):
        await runs.run(TRUST, source(replace(address, key=server.other_key), tmp_path))


async def test_a_server_or_folder_that_is_not_there_is_said(
    address: SftpAddress, runs: PlanRuns, tmp_path: Path
) -> None:
    with pytest.raises(SourceRefused, match="folder"):
        await runs.run(TRUST, source(replace(address, folder="/nowhere"), tmp_path))
    with pytest.raises(SourceUnreachable):
        await runs.run(TRUST, source(replace(address, port=1), tmp_path))
