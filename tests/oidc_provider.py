"""A sign-in provider of others' making, in a process of its own: the package ``oidc-provider-mock``, on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.running import ROOT, free_port

START_S = 40.0


class OidcProvider:
    """On a port of its own; started again it has new keys, as a provider that rotates them. Users by their ``sub``."""

    def __init__(self, folder: Path, users: Mapping[str, Mapping[str, Any]]) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._users = [json.dumps({"sub": sub, **claims}) for sub, claims in users.items()]
        self._log = folder / "provider.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        command = [sys.executable, "-m", "tests.oidc_server", str(self.port), *self._users]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        until = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < until, "the provider did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it; to whoever asks, nobody is there."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.issuer}/.well-known/openid-configuration", timeout=2).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def oidc_provider(folder: Path, users: Mapping[str, Mapping[str, Any]]) -> Iterator[OidcProvider]:
    """A running one, gone afterwards."""
    provider = OidcProvider(folder, users)
    try:
        provider.start()
        yield provider
    finally:
        provider.stop()
