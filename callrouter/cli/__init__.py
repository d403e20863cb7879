"""The command line: ``callrouter …``. Errors are one sentence that says what to do; ``--help`` is everywhere."""

from __future__ import annotations

import gc
import sys

import typer

from callrouter.cli.commands import commands, reads_files_alone
from callrouter.errors import ConfigurationError


def main() -> None:
    """Run the command line; a file or setting that cannot be used is said in words, without a traceback."""
    gc.disable()  # what is imported stays: looking for garbage in it takes a sixth of the start
    words = sys.argv[1:]
    on_files = reads_files_alone(words)
    if not on_files:
        from callrouter.logs import set_up_logs

        set_up_logs(quiet=True)
    try:
        asked = commands(words)
        if not on_files:  # those are done before there is any
            gc.enable()
        asked()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
