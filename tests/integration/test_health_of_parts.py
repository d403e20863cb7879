"""``/ready`` of the real service while its real database goes and comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.keys import new_pair
from tests.plan_world import plan
from tests.postgres import Postgres, own_postgres
from tests.running import RunningService
from tests.wire import Wire

pytestmark = pytest.mark.alone

SOON_S = 60.0  # the states change after seconds; the rest is for a busy machine


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with own_postgres() as server:
        yield server


def ready_when(service: RunningService, wanted: Callable[[dict[str, Any]], bool]) -> httpx.Response:
    """The first answer of ``/ready`` that is as wanted."""
    deadline = time.monotonic() + SOON_S
    while True:
        answer = httpx.get(f"{service.url}/ready", timeout=10)
        if wanted(answer.json()):
            return answer
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)  # a page to be asked again: it has no event


def state_of(part: str, wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda report: any(each["name"] == part and each["state"] == wanted for each in report["dependencies"])


@pytest.mark.parametrize("fault", ["cut", pytest.param("hold", marks=pytest.mark.slow)])
def test_a_database_that_is_gone_or_silent_degrades_and_heals(postgres: Postgres, tmp_path: Path, fault: str) -> None:
    port = int(postgres.url.rpartition(":")[2].partition("/")[0])
    with Wire(port) as wire:
        url = postgres.url.replace(f":{port}/", f":{wire.port}/")
        with RunningService(tmp_path, {"DATABASE_URL": url}) as service:
            assert ready_when(service, state_of("sql", "ok")).json()["state"] == "ok"
            getattr(wire, fault)()
            answer = ready_when(service, state_of("sql", "failed"))
            assert (answer.status_code, answer.json()["state"]) == (200, "degraded")
            assert "postgres" not in answer.text
            assert str(wire.port) not in answer.text
            if fault == "cut":
                wire.mend()
            else:
                wire.release()
            assert ready_when(service, state_of("sql", "ok")).json()["state"] == "ok"
            assert httpx.get(f"{service.url}/live", timeout=10).status_code == 200


def test_plans_under_other_keys_are_told_until_the_right_keys_are_there(tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_text(json.dumps([plan(1).values]))
    right, wrong = new_pair(), new_pair()
    with RunningService(tmp_path, {"KEYS": wrong}) as service:
        assert ready_when(service, state_of("plan_keys", "ok")), "there is no plan yet"
        told = {**service.environment, "CALLROUTER_KEYS": right}
        command = [sys.executable, "-m", "callrouter", "plan", "import", str(tmp_path / "plans.json")]
        subprocess.run(command, env=told, check=True, timeout=100)
        answer = ready_when(service, state_of("plan_keys", "failed"))
        assert (answer.status_code, answer.json()["state"]) == (200, "degraded")
    with RunningService(tmp_path, {"KEYS": right}) as service:
        assert ready_when(service, state_of("plan_keys", "ok")).json()["state"] == "ok"
