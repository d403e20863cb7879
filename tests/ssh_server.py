"""A real OpenSSH server of the tests' own, on a free loopback port, with keys of its own; SFTP by key only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.missing import Missing
from tests.running import free_port

START_S = 60.0


class SshMissing(Missing):
    """No OpenSSH server on this machine: as root, apt-get install openssh-server."""

    what = "SSHD"


class SshServer:
    """``with SshServer() as server``: it serves ``folder``; ``key`` and ``known_hosts`` are for its client."""

    def __init__(self) -> None:
        self._sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        if not Path(self._sshd).exists() or shutil.which("ssh-keygen") is None:
            raise SshMissing("no OpenSSH server: as root, apt-get install openssh-server")
        # not below a folder that others may write: sshd refuses keys that lie there
        self._home = tempfile.TemporaryDirectory(prefix="callrouter-ssh-", dir="/var/tmp")
        self._base = Path(self._home.name)
        self.port = free_port()
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.folder = self._base / "plans"
        self.key = self._base / "client"
        self.other_key = self._base / "other"
        self.known_hosts = self._base / "known_hosts"
        self._log = self._base / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SshServer:
        self.folder.mkdir()
        for name in ("host", "client", "other"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._base / name)]
            subprocess.run(make, check=True, timeout=60)
        public = (self._base / "host.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}")
        shutil.copy(self._base / "client.pub", self._base / "authorized")
        (self._base / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self._base}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self._base}/authorized\nPasswordAuthentication no\nStrictModes no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd puts those who have not signed in yet
        with self._log.open("wb") as log:
            run = [self._sshd, "-D", "-e", "-f", str(self._base / "config")]
            self._process = subprocess.Popen(run, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while b"Server listening" not in self._log.read_bytes():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"sshd did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.02)  # a starting process has no event to wait for
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        self._home.cleanup()
