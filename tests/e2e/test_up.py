"""``callrouter up``: the production shape as people start it; a call through its edge; nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from infra.asterisk.instance import AsteriskUnavailable, find_installation
from infra.kamailio.instance import KamailioUnavailable, find_kamailio
from infra.up.stores import ServerMissing, free_port, postgres, redis
from infra.voices import has_voice
from tests.running import ROOT
from tests.sip.rtp import RtpEnd
from tests.sip.sipp import SippCaller
from tests.spoken import speak_into

pytestmark = pytest.mark.alone

START_S = 100.0
CALL_S = 60.0  # a key that a stalled machine swallows is silence, and silence is with 111 after 42 s


@pytest.fixture(scope="module")
def _tools(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("tools") / "log"
    if not has_voice("en"):
        pytest.skip("no voice: as root, apt-get install flite")
    try:
        find_installation()
        find_kamailio()
        with postgres(log), redis(log):
            pass
    except (AsteriskUnavailable, KamailioUnavailable, ServerMissing) as missing:
        pytest.skip(str(missing))


def on_free_ports(folder: Path) -> Path:
    """The shipped providers where nobody else's are."""
    data = yaml.safe_load((ROOT / "callrouter/providers.yaml").read_text())
    for each in data["providers"]:
        each["sip"] = f"127.0.0.1:{free_port()}"
    file = folder / "providers.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


class Up:
    """The command in a process of its own."""

    def __init__(self, folder: Path) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CALLROUTER_") or k == "CALLROUTER_CACHE"}
        self.port = str(free_port())
        own = {
            "CALLROUTER_DATA_DIR": str(folder / "data"),
            "CALLROUTER_PORT": self.port,
            "CALLROUTER_PROVIDERS_FILE": str(on_free_ports(folder)),
            "PYTHONUNBUFFERED": "1",
        }
        self.environment = clean | own
        speak_into(folder / "data/prompts")
        self.log = folder / "up.log"
        self.file = folder / "data/up/settings.env"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "callrouter", "up", "--sip-port", "0"],
                env=self.environment, stdout=log, stderr=log, cwd=ROOT,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while "Ctrl-C ends" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)  # it has no other way to tell

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def urls(self) -> list[str]:
        return re.findall(r"health: (\S+)/ready", self.said)

    @property
    def sip_port(self) -> int:
        found = re.search(r"sip:111@127\.0\.0\.1:(\d+)", self.said)
        assert found is not None
        return int(found[1])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command with the settings that it printed."""
        clean = {k: v for k, v in self.environment.items() if not k.startswith("CALLROUTER_")}
        return subprocess.run(
            [sys.executable, "-m", "callrouter", *arguments],
            env=clean | {"CALLROUTER_SETTINGS_FILE": str(self.file), "CALLROUTER_PORT": self.port},
            capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def up(_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up"))
    yield up
    if up.process.poll() is None:
        up.process.send_signal(signal.SIGINT)
        up.process.wait(60)


@pytest.mark.timeout(300)
def test_both_workers_and_the_background_are_ready_and_see_every_part(up: Up) -> None:
    background, *workers = (httpx.get(f"{url}/ready", timeout=10).json() for url in up.urls)
    assert len(workers) == 2
    seen = [{each["name"].partition(":")[0] for each in report["dependencies"]} for report in (background, *workers)]
    for parts in seen[1:]:
        assert {"sql", "redis", "asterisk", "background", "plans", "repeats", "understanding"} <= parts
    assert {"sql", "redis"} <= seen[0]
    assert not {"asterisk", "background"} & seen[0]
    assert [report["state"] for report in (background, *workers)] == ["ok"] * 3, (background, *workers)


@pytest.mark.timeout(300)
def test_a_caller_at_the_edge_reaches_a_person(up: Up, tmp_path: Path) -> None:
    with RtpEnd() as ear, SippCaller(tmp_path, up.sip_port, ear) as caller:
        media = caller.wait_answered(CALL_S).media
        assert media is not None
        ear.talk_to(*media)
        ear.press("1")
        deadline = time.monotonic() + CALL_S
        while "north-london-111" not in (listed := up.command("call", "list").stdout):
            assert time.monotonic() < deadline, listed
            time.sleep(0.5)  # a table that is asked again


@pytest.mark.timeout(300)
def test_the_doctor_finds_nothing_broken(up: Up) -> None:
    done = up.command("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for each in ("every migration is in", "forgets no call", "claim, fence and fall-back", "it is us", "a notice came"):
        assert each in done.stdout


@pytest.mark.timeout(300)
def test_its_settings_are_for_nobody_else_and_its_end_is_clean(up: Up) -> None:
    assert up.file.stat().st_mode & 0o077 == 0
    children = Path(f"/proc/{up.process.pid}/task/{up.process.pid}/children").read_text().split()
    assert (
        len(children) >= 17
    )  # two stores, seven providers, two Asterisks, two workers, background, watch, auditor, edge
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(90) == 0, up.said
    assert [each for each in children if Path(f"/proc/{each}").exists()] == []
