"""``callrouter db`` and ``serve`` on a real PostgreSQL: what is said, above all when it does not do what is asked."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest

from tests.postgres import Postgres
from tests.running import RunningService, free_port, run_command

Type = Callable[..., "CompletedProcess[str]"]
PRODUCTION = {
    "ENVIRONMENT": "production",
    "KEYS": base64.b64encode(b"k" * 64).decode(),
    "AUDIT_KEY": base64.b64encode(b"a" * 32).decode(),
    "SESSION_SECRET": "a-secret-of-the-tests-and-long-enough",
    "TWILIO_AUTH_TOKENS": "a-token-of-the-tests",
    "FALLBACK_NUMBER": "+442079460101",
    "PUBLIC_URL": "https://calls.example",
}


@pytest.fixture
def type_(tmp_path: Path) -> Type:
    """``type_(url, "db", "upgrade")`` in a data folder of the test's own."""

    def run(url: str, *arguments: str) -> CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CALLROUTER_")}
        own = {"CALLROUTER_DATA_DIR": str(tmp_path / "data"), "CALLROUTER_DATABASE_URL": url, "COLUMNS": "300"}
        return run_command(clean | own, *arguments)

    return run


@pytest.mark.slow
def test_up_and_down_say_where_the_database_stands(postgres: Postgres, type_: Type) -> None:
    url = postgres.new_database()
    steps = [("upgrade",), ("upgrade",), ("downgrade", "0001"), ("downgrade", "0001"), ("upgrade",)]
    said = [type_(url, "db", *step).stdout.strip() for step in steps]
    head = said[0].rpartition(" ")[2]
    assert said == [
        f"upgraded from nothing to {head}", f"already at {head}", f"from {head} back to 0001", "already at 0001",
        f"upgraded from 0001 to {head}",
    ]  # fmt: skip


def refusals(server: Postgres) -> dict[str, tuple[str, str]]:
    """By name: an address, and what is said about it."""
    locked = server.new_database()
    server.sql("CREATE ROLE guest LOGIN")
    return {
        "nobody listens": (
            f"postgresql://u:zzsecret@127.0.0.1:{free_port()}/x",
            "the database does not answer (ConnectionRefusedError): is it running",
        ),
        "no such database": (server.url_of("nothing_here"), "make it with `createdb`"),
        "no such user": (
            server.url.replace("callrouter@", "stranger@"),
            "check user and password of CALLROUTER_DATABASE_URL",
        ),
        "no right to make tables": (locked.replace("callrouter@", "guest@"), "let the user own the database"),
        "another kind": ("mysql://u:zzsecret@h/d", "CALLROUTER_DATABASE_URL: mysql: expected sqlite:///file or"),
    }


@pytest.mark.slow
def test_what_is_wrong_with_a_database_is_said_in_words(postgres: Postgres, type_: Type) -> None:
    for name, (url, words) in refusals(postgres).items():
        done = type_(url, "db", "upgrade")
        assert done.returncode == 2, name
        assert words in done.stderr, name
        assert "Traceback" not in done.stderr
        assert "zzsecret" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_database_that_only_reads_is_named(postgres: Postgres, type_: Type) -> None:
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    postgres.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "it only reads: this is a standby" in type_(url, "db", "upgrade").stderr


@pytest.mark.slow
def test_an_unknown_revision_is_refused(postgres: Postgres, type_: Type) -> None:
    url = postgres.new_database()
    type_(url, "db", "upgrade")
    done = type_(url, "db", "downgrade", "9999")
    assert done.returncode == 2
    assert "no revision 9999" in done.stderr


def test_in_production_an_old_database_is_not_served(postgres: Postgres, tmp_path: Path) -> None:
    service = RunningService(tmp_path, PRODUCTION | {"DATABASE_URL": postgres.new_database()})
    done = service.run("serve")
    assert done.returncode == 2
    assert "run `callrouter db upgrade` first" in done.stderr


@pytest.mark.slow
def test_in_production_a_worker_starts_without_its_database(tmp_path: Path) -> None:
    """Callers come first: a worker that is started again during an outage takes calls."""
    gone = f"postgresql://u:zzsecret@127.0.0.1:{free_port()}/x"
    with RunningService(tmp_path, PRODUCTION | {"DATABASE_URL": gone}) as service:
        assert httpx.get(f"{service.url}/live").status_code == 200
    log = service.log.read_text()
    assert "database_not_checked" in log
    assert "zzsecret" not in log
