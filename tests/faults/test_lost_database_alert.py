"""The real service, PostgreSQL and a mail relay: staff hear of a lost database, which is where alerts are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.mail_relay import Relay, mail_relay
from tests.postgres import Postgres, own_postgres
from tests.running import RunningService
from tests.wire import Wire

SOON_S = 60.0  # a notice comes a few seconds after its cause; the rest is for a busy machine

RULES = """\
link: http://127.0.0.1/
alerts:
  - name: dependency-down
    title: A part of the service does not work
    metric: dependency_down_s
    dependency: sql
    threshold: 2
    for_s: 0
    clear_below: 1
    severity: critical
    usually_helps: Run callrouter doctor.
    source: a test
    who:
      - name: Duty manager
        email: duty.manager@example.nhs.invalid
"""


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with mail_relay() as relay:
        yield relay


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with own_postgres() as server:
        yield server


@pytest.mark.slow
async def test_a_lost_database_reaches_the_duty_manager_and_so_does_its_return(
    postgres: Postgres, relay: Relay, tmp_path: Path
) -> None:
    rules = tmp_path / "alerts.yaml"
    rules.write_text(RULES)
    port = int(postgres.url.rpartition(":")[2].partition("/")[0])
    with Wire(port) as wire:
        service = RunningService(
            tmp_path,
            {
                "DATABASE_URL": postgres.url.replace(f":{port}/", f":{wire.port}/"),
                "ALERT_RULES_FILE": str(rules),
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(relay.port),
            },
        )
        await asyncio.to_thread(service.__enter__)
        try:
            await asyncio.to_thread(wire.cut)
            fired = await relay.next_subject(SOON_S)
            await asyncio.to_thread(wire.mend)
            cleared = await relay.next_subject(SOON_S)
        finally:
            await asyncio.to_thread(service.stop)
    assert fired.startswith("[CRITICAL] A part of the service does not work: Database (SQL), seen by 127.0.0.1:")
    assert cleared.startswith("[CLEARED] A part of the service does not work: Database (SQL)")
    assert relay.mails.empty()
