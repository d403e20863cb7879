"""A wallboard that is being watched does not keep the service from ending."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
WATCHED = """
import sys, uvicorn
from console_world import World
uvicorn.run(World(open_wallboard=True).app(), port=int(sys.argv[1]), ws="none", lifespan="off", log_level="warning")
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def service(port: int) -> Iterator[subprocess.Popen[bytes]]:
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests" / "unit" / "console")))
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, str(port)],
        env={**os.environ, "PYTHONPATH": paths},
        stderr=subprocess.PIPE,
    )
    yield process
    process.kill()
    process.communicate()


def test_sigterm_ends_a_watched_wallboard(port: int, service: subprocess.Popen[bytes]) -> None:
    url = f"http://127.0.0.1:{port}/wallboard/events"
    with _connected(url) as client, client.stream("GET", url) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: figures"
        service.terminate()
        assert not any("Traceback" in line for line in lines)  # reads on until the server has ended the stream
    service.wait(timeout=10)
    assert service.stderr is not None
    assert b"Traceback" not in service.stderr.read()


def _connected(url: str) -> httpx.Client:
    until = time.monotonic() + 20
    with httpx.Client() as probe:
        while True:
            try:
                probe.get(url.removesuffix("wallboard/events"))
            except httpx.ConnectError:
                assert time.monotonic() < until, "the server did not start"
                time.sleep(0.05)
            else:
                return httpx.Client(timeout=30)
