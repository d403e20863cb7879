"""``callrouter db``: the database's shape."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from callrouter.cli.common import database_of
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings, load_settings
from infra.migrate import downgrade_database, upgrade_database

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The database."""


@app.command()
def upgrade() -> None:
    """Bring the database (CALLROUTER_DATABASE_URL) up to date. Safe to run again."""
    settings = load_settings()
    before, after = asyncio.run(_upgrade(settings))
    typer.echo(f"already at {after}" if before == after else f"upgraded from {before or 'nothing'} to {after}")


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="Undo every migration after this one; base: all, and every row.")],
) -> None:
    """Take the database (CALLROUTER_DATABASE_URL) back to an older revision, for an older version of the service."""
    settings = load_settings()
    before, after = asyncio.run(_downgrade(settings, revision))
    typer.echo(f"already at {after or 'nothing'}" if before == after else f"from {before} back to {after or 'nothing'}")


async def _upgrade(settings: Settings) -> tuple[str | None, str]:
    async with database_of(settings) as database:
        return await upgrade_database(database)


async def _downgrade(settings: Settings, revision: str) -> tuple[str | None, str | None]:
    async with database_of(settings) as database:
        try:
            return await downgrade_database(database, revision)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
