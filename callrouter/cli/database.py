"""``callrouter db``: the database's shape."""

from __future__ import annotations

import asyncio

import typer

from callrouter.settings import Settings, load_settings
from infra.migrate import upgrade_database
from infra.sql import connect_database

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


async def _upgrade(settings: Settings) -> tuple[str | None, str]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = connect_database(settings.database)
    try:
        return await upgrade_database(database)
    finally:
        await database.close()
