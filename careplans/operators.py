"""Who types a command: what the audit is told."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from careplans.model import Viewer

By = Annotated[
    str,
    typer.Option(
        help="Who does it, for the audit; default: your name on this machine.", default_factory=getpass.getuser
    ),
]


def operator(by: str) -> Viewer:
    """Somebody who administers this machine."""
    return Viewer(by, "administrator")
