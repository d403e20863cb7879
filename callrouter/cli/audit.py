"""``audit verify`` and ``audit key``: whether the audit of plans is as it was written, and what to check it with."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from callrouter.cli.common import database_of
from callrouter.errors import ConfigurationError
from callrouter.plans.access import head_signer, heads_file, public_key
from callrouter.settings import load_settings
from careplans.audit.heads import SignedHead, read_heads
from careplans.audit.verify import Verdict, verify
from infra.clock import SystemClock

NOTHING_ELSEWHERE = "no signed end was given from elsewhere: a cut tail might not be seen"

app = typer.Typer(help="The audit of plans: who saw, tried or did what.", no_args_is_help=True)


@app.command("verify")
def verify_audit(
    heads: Annotated[
        list[Path] | None, typer.Option(help="Files of signed ends; default: that of the settings.")
    ] = None,
    public_key: Annotated[
        list[str] | None, typer.Option(help="Keys that signed, base64; default: all of the settings.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")] = False,
) -> None:
    """Read the whole audit and say every change, gap, cut tail or rewritten chain. Exit 1 if there is any."""
    verdict = asyncio.run(_verify(heads, public_key))
    if as_json:
        typer.echo(json.dumps(asdict(verdict)))
    else:
        typer.echo(f"{verdict.length} entries, signed to entry {verdict.signed_to}: {_word(verdict)}")
        for fault in verdict.faults:
            typer.echo(f"  {fault}", err=True)
    raise typer.Exit(1 if verdict.faults else 0)


@app.command()
def key() -> None:
    """Print the public key, base64: keep it away from the database, for ``audit verify --public-key``."""
    typer.echo(base64.b64encode(head_signer(load_settings()).public).decode())


def _word(verdict: Verdict) -> str:
    if verdict.faults == [NOTHING_ELSEWHERE]:
        return "no change found, but not all can be told"
    return "NOT as it was written" if verdict.faults else "as it was written"


async def _verify(files: list[Path] | None, public_keys: list[str] | None) -> Verdict:
    settings = load_settings()
    own = heads_file(settings)
    paths = files or ([own] if own.exists() else [])
    publics = [public_key("--public-key", each) for each in public_keys or []] or head_signer(settings).publics
    elsewhere: list[SignedHead] = []
    odd: list[str] = []
    for path in paths:
        found, lines = _read(path)
        elsewhere += found
        odd += [f"{path}:{line}: is no signed end of the chain" for line in lines]
    async with database_of(settings) as database:
        now = SystemClock().now()
        verdict = await database.maintain(lambda connection: verify(connection, elsewhere, publics, now))
    verdict.faults += odd
    if not paths and verdict.length:
        verdict.faults.append(NOTHING_ELSEWHERE)
    return verdict


def _read(path: Path) -> tuple[list[SignedHead], list[int]]:
    try:
        return read_heads(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({type(error).__name__})") from error
