"""``callrouter call``: what the journal knows of a call."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Annotated, Any

import typer

from alerts.figures.items import PROBE_FLOW
from callrouter.cli.common import open_database
from callrouter.events import Recorded
from callrouter.journal import Journal
from callrouter.keys import key_ring
from callrouter.settings import load_settings
from callrouter.view import CallView, fold
from infra.sql import Database

app = typer.Typer(help="Calls in the journal.", no_args_is_help=True)


@app.command()
def show(
    call: Annotated[str, typer.Argument(metavar="ID", help="The call's reference or its context id.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each event, a line each.")] = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="Show what the caller said and pressed, and their number.")
    ] = False,
) -> None:
    """Print every event of a call, in order. Exit 1 if the journal does not know it."""
    recorded = asyncio.run(_read(call))
    if not recorded:
        typer.echo(f"no call {call} in the journal", err=True)
        raise typer.Exit(1)
    for each in recorded:
        typer.echo(json.dumps(_as_json(each, personal)) if as_json else _in_words(each, personal))
    view = fold(recorded)
    if view is not None and not as_json:
        typer.echo(summary(view, personal))


@app.command("list")
def list_calls(limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20) -> None:
    """Print the newest calls: when, reference, how they ended, who answered, and the context id of the page.

    The alert auditor's own calls are called `probe`.
    """
    for view in asyncio.run(_newest(limit)):
        at = f"{view.offered_at:%Y-%m-%d %H:%M:%S}Z" if view.offered_at else "?"
        became = "probe" if view.flow == PROBE_FLOW else view.end_class
        typer.echo(f"{at}  {view.call_ref}  {became:<15}  {view.provider or '-':<20}  {view.context}")


async def _read(call: str) -> list[Recorded]:
    settings = load_settings()
    async with open_database(settings) as database:
        journal = _journal(database)
        return await journal.read(await journal.call_of_context(call) or call)


async def _newest(limit: int) -> list[CallView]:
    settings = load_settings()
    async with open_database(settings) as database:
        journal = _journal(database)
        views = [fold(await journal.read(ref)) for ref in await journal.newest(limit)]
    return [view for view in views if view is not None]


def _journal(database: Database) -> Journal:
    return Journal(database, key_ring(load_settings()))


def _fields(each: Recorded, personal: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in dataclasses.fields(each.event):
        value = getattr(each.event, field.name)
        if field.metadata.get("personal"):
            if value is not None:
                shown[field.name] = value if personal else "(sealed)"
        else:
            shown[field.name] = value
    return shown


def _as_json(each: Recorded, personal: bool) -> dict[str, Any]:
    return {"seq": each.seq, "at": each.at.isoformat(), "kind": each.event.kind, **_fields(each, personal)}


def _in_words(each: Recorded, personal: bool) -> str:
    facts = "  ".join(f"{name}={_short(value)}" for name, value in _fields(each, personal).items())
    return f"{each.seq:>3}  {each.at:%H:%M:%S.%f}"[:-3] + f"  {each.event.kind:<15} {facts}"


def _short(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def summary(view: CallView, personal: bool) -> str:
    """How the call went, in a line; what is secret of it only if ``personal``."""
    where = f", answered by {view.provider}" if view.answered_at else ""
    plan = f", plan {view.plan_level}" if personal and view.plan_level else ""
    return f"\n{view.call_ref}: {view.end_class.replace('_', ' ')}{where}{plan}"
