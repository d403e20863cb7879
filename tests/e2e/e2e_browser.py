"""What the browser tests share: the server, the browser's flags, and who may be called."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
AXE = ROOT / "infra" / "assets" / "node_modules" / "axe-core" / "axe.min.js"
LOOPBACK = {"127.0.0.1", "localhost"}
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SIZES = pytest.mark.parametrize(
    "viewport", [DESKTOP, pytest.param(PHONE, marks=pytest.mark.slow)], ids=["desktop", "phone"]
)
"""The smaller one by `make test-all`."""
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever a page asks for, no other host can be reached from here.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

Serve = Callable[..., AbstractContextManager[str]]
OpenTab = Callable[..., Page]
Shoot = Callable[[Page, str], None]
FindBarriers = Callable[[Page], list[str]]


@contextmanager
def running(app: Any, port: int = 0) -> Iterator[str]:
    """The application under uvicorn in a thread, on a free port unless one is given; yields its address."""
    config = uvicorn.Config(
        app, port=port, ws="none", lifespan="auto", log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server stopped at once"
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive(), "the server did not end"


def note_stranger(url: str, strangers: list[str]) -> None:
    """Keep the address of a request that leaves this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("data", "blob") and parts.hostname not in LOOPBACK:
        strangers.append(url)


def note_complaint(kind: str, text: str, complaints: list[str]) -> None:
    """Keep what the browser says of a broken page."""
    # A 4xx answer to a form is the page's own and no defect.
    if kind in ("error", "warning") and "the server responded with a status of 4" not in text:
        complaints.append(text)
