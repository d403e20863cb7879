"""The command line: ``callrouter …``. Errors are one sentence that says what to do; ``--help`` is everywhere."""

from __future__ import annotations

import gc
import sys

import typer

from callrouter.cli.commands import commands
from callrouter.errors import ConfigurationError
from callrouter.logs import set_up_logs


def main() -> None:
    """Run the command line; a file or setting that cannot be used is said in words, without a traceback."""
    set_up_logs(quiet=True)
    gc.disable()  # what is imported stays: looking for garbage in it takes a sixth of the start
    try:
        asked = commands(sys.argv[1:])
        gc.enable()
        asked()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
