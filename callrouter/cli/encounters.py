"""``callrouter encounters``: reports of other providers' calls. What is printed names nobody."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callrouter.after_calls import shared_lines
from callrouter.cli.common import open_database
from callrouter.dispatch.providers import read_providers
from callrouter.errors import ConfigurationError
from callrouter.journal import Journal
from callrouter.keys import key_ring
from callrouter.repeat.contacts import RepeatCalls
from callrouter.repeat.own_calls import came_to
from callrouter.settings import load_settings
from infra.clock import SystemClock

if TYPE_CHECKING:
    from callrouter.repeat.reports import Imported

app = typer.Typer(help="Reports of other providers' NHS 111 calls (ITK, CDA).", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
File = Annotated[Path, typer.Argument(help="A file: an ITK envelope, or one CDA document.")]


@app.callback()
def _group() -> None:
    """Reports of other providers' calls."""


@app.command("import")
def import_reports(file: File, as_json: AsJson = False) -> None:
    """Keep the encounters of the last 97 hours. Safe to run again. Exit 1 if any report was not kept."""
    # the reader of XML is for who uses it: a worker that only carries calls never loads it
    from infra.itk import ItkError

    try:
        imported = asyncio.run(_import(_read(file)))
    except ItkError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    if as_json:
        typer.echo(json.dumps(asdict(imported)))
    else:
        typer.echo(f"{imported.kept} kept, {imported.known} known, {len(imported.skipped)} not kept")
        for each in (*imported.skipped, *imported.apart):
            typer.echo(f"{file}: report {each.place}: {each.reason}", err=True)
    raise typer.Exit(1 if imported.skipped else 0)


@app.command()
def check(file: File) -> None:
    """Say, in the order of time, what the rule makes of each call of the file after the others. Keeps nothing."""
    from callrouter.repeat.reports import outcomes
    from infra.itk import ItkError

    try:
        judged = outcomes(_read(file), key_ring(load_settings()))
    except ItkError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    for encounter, found in judged:
        doubt = " (start in doubt)" if encounter.doubtful else ""
        at = f"{encounter.started:%Y-%m-%dT%H:%M:%SZ}"
        typer.echo(f"{at}{doubt} {encounter.provider}: {found.outcome} ({found.reason})")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error


async def _import(octets: bytes) -> Imported:
    from callrouter.repeat.reports import EncounterReports

    settings = load_settings()
    async with open_database(settings) as database:
        keys = key_ring(settings)
        repeats = RepeatCalls(database, keys, shared_lines(settings).__contains__)
        providers = read_providers(settings.providers_file)
        asked = came_to(Journal(database, keys), {each.id: each.ods for each in providers})
        return await EncounterReports(repeats, SystemClock(), asked).take(octets)
