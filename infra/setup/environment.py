"""Make the virtual environment and install exactly what a lock file names, then this project itself.

Standard library only: it runs before anything is installed. Usage: environment.py VENV LOCKFILE
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)


def main(venv: Path, lock: Path) -> int:
    """Install; returns an exit status, and says what to do when something is missing."""
    if sys.version_info < OLDEST:
        return _fail(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version.split()[0]}")
    python = venv / "bin/python"
    if not python.exists() and not _make(venv):
        return _fail("cannot make a virtual environment: install python3-venv, or virtualenv, and try again")
    print(f"installing {lock.name} into {venv} …", flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--require-hashes", "-r", str(lock)]).returncode:
        return _fail("the dependencies could not be installed: see pip's message above")
    # the project itself: in place, and without asking for anything that the lock file does not name
    own = ["--no-deps", "--no-build-isolation", "--editable", "."]
    if subprocess.run([*pip, *own]).returncode:
        return _fail("the project could not be installed into its environment: see pip's message above")
    return 0


def _make(venv: Path) -> bool:
    makers = ([sys.executable, "-m", "venv"], [sys.executable, "-m", "virtualenv"])
    return any(subprocess.run([*maker, str(venv)]).returncode == 0 for maker in makers)


def _fail(message: str) -> int:
    print(f"set-up: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
