"""``callrouter call``: what the journal knows of a call."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from alerts.figures.items import PROBE_FLOW
from callrouter.cli.common import open_database
from callrouter.events import Recorded
from callrouter.journal import Journal
from callrouter.keys import key_ring
from callrouter.recordings.service import Recordings
from callrouter.settings import load_settings
from callrouter.view import CallView, fold
from careplans.audit.chain import What
from careplans.audit.trail import AuditTrail
from careplans.errors import PlanStoreFailed
from careplans.model import Viewer
from careplans.operators import By, operator
from infra.clock import SystemClock
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


@app.command()
def recording(
    call: Annotated[str, typer.Argument(metavar="ID", help="The call's reference or its context id.")],
    by: By,
    folder: Annotated[Path, typer.Option(help="Where it is written, a file for each talk.")] = Path(),
) -> None:
    """Write the recorded talks of a call by SIP as WAV files that their owner alone may read; the audit says who did.

    Exit 1 if there is none, or if it cannot be entered in the audit.
    """
    try:
        written = asyncio.run(_write_recordings(call, operator(by), folder))
    except PlanStoreFailed:
        typer.echo("the audit cannot be written: nothing is opened", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"the recording cannot be written: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    for file in written:
        typer.echo(str(file))
    if not written:
        typer.echo(f"no recording of a call {call}", err=True)
        raise typer.Exit(1)


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


async def _write_recordings(call: str, viewer: Viewer, folder: Path) -> list[Path]:
    settings = load_settings()
    written = []
    async with open_database(settings) as database:
        keys, clock = key_ring(settings), SystemClock()
        call_ref = await _journal(database).call_of_context(call) or call
        audit = AuditTrail(database, keys, clock)
        await audit.record(viewer, audit.entries(viewer, What.RECORDING_OPENED, call_ref=call_ref))
        for each in await Recordings(database, keys, clock).of_call(call_ref):
            file = folder / f"recording-{each.id}.wav"
            write_new(file, each.as_wav)
            written.append(file)
    return written


def write_new(file: Path, content: bytes) -> None:
    """All of it or nothing: no half of a talk lies in clear. Raises :class:`OSError`, also if the file is there."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    except BaseException:
        file.unlink()
        raise


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
