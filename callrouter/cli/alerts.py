"""``callrouter alerts``: the detectors' commands, and whose mail comes back."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from alerts.life.store import AlertStore
from alerts.surveillance.cli import app as app
from callrouter.cli.common import open_database
from callrouter.settings import load_settings
from infra.clock import SystemClock


@app.command()
def bounced(
    address: Annotated[str, typer.Argument(help="An address that mail comes back from; none: list them.")] = "",
    works_again: Annotated[bool, typer.Option("--works-again", help="Mail to it arrives again.")] = False,
) -> None:
    """Say that mail to somebody comes back, so that their next channel is used; or that it arrives again."""
    if not address:
        for each, since in asyncio.run(_listed()):
            typer.echo(f"{since} {each}")
    elif not asyncio.run(_said(address, works_again=works_again)):
        typer.echo("nobody said that mail to this address comes back", err=True)
        raise typer.Exit(2)


async def _listed() -> list[tuple[str, str]]:
    async with open_database(load_settings()) as database:
        found = await AlertStore(database).bounced()
    return [(address, f"{since:%Y-%m-%dT%H:%M:%SZ}") for address, since in sorted(found.items())]


async def _said(address: str, *, works_again: bool) -> bool:
    async with open_database(load_settings()) as database:
        store = AlertStore(database)
        if works_again:
            return await store.works_again(address)
        await store.bounce(address, SystemClock().now())
        return True
