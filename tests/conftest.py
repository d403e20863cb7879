"""For all tests: what runs inside the process may not open a network socket."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_socket import disable_socket, enable_socket

import alerts.surveillance  # noqa: F401 - before numpy is imported: it tells numpy to use one thread
from infra.sql import Database, connect_database
from tests import canaries
from tests.migrated import Migrated
from tests.postgres import Postgres, own_postgres

# the machine is shared: an example that waited for a core has broken no law
settings.register_profile("house", deadline=None, max_examples=20)
settings.register_profile("all", deadline=None, max_examples=60)
settings.register_profile("fuzz", deadline=None, max_examples=200)
settings.load_profile(os.environ.get("CALLROUTER_EXAMPLES", "house"))

TESTS = Path(__file__).parent
collect_ignore = ["bench/rivals/packages"]  # what the rivals of the bench are made of, with tests of their own
WITHOUT_NETWORK = ("unit", "flows")


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.path.relative_to(TESTS).parts[0] not in WITHOUT_NETWORK:
        yield
        return
    disable_socket(allow_unix_socket=True)  # the event loop wakes itself through a pair of Unix sockets
    yield
    enable_socket()


@pytest.fixture(autouse=True)
def _nothing_personal_was_sent() -> Iterator[None]:
    yield
    found, canaries.FOUND[:] = list(dict.fromkeys(canaries.FOUND)), []
    assert not found, "a stand-in received what it must not"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A failure is told when it happens: a run that is cut short must still say what failed."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        crash = getattr(report.longrepr, "reprcrash", None)
        print(f"\nFAILED {report.nodeid} ({report.when}): {getattr(crash, 'message', '')[:300]}", flush=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this run's own; skipped, saying so, where none is installed. Leave it as it was."""
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    """What this run's databases are copied from."""
    return Migrated(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
async def sqlite(migrated: Migrated, tmp_path: Path) -> AsyncIterator[Database]:
    """A SQLite database of the test's own, with the tables that the migrations make."""
    database = connect_database(migrated.sqlite(tmp_path))
    yield database
    await database.close()
