"""``callrouter surges``: proposals and their record, and a look at any time. Counts are for the page, by role."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from alerts.surges.model import Proposal, Screened, Step
from alerts.surges.store import KEPT, ProposalStore
from callrouter.cli.common import open_database
from callrouter.errors import ConfigurationError
from callrouter.settings import load_settings
from infra.areas import london
from infra.clock import SystemClock

app = typer.Typer(help="Surges: what is unusual, who said what of it, and a look by hand.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What is unusual."""


@app.command("list")
def list_proposals() -> None:
    """Proposals seen in the last four weeks, by rank: id, state, kind, signal, area, since, standard deviations."""
    for each in asyncio.run(_recent()):
        typer.echo(_line(each))


@app.command()
def show(proposal: Annotated[str, typer.Argument(help="Its id, as `surges list` prints it.")]) -> None:
    """One proposal and who did what with it. Exit 2 if there is none."""
    found, steps = asyncio.run(_get(proposal))
    typer.echo(_line(found))
    if found.message:
        typer.echo(f"message {found.message}")
    for step in steps:
        by = f" by {step.who}, {step.role}" if step.role else ""
        typer.echo(f"{_time(step.at)} {step.step}{by}{': ' + step.note if step.note else ''}")


@app.command()
def screen(
    at: Annotated[str, typer.Option(help="A time such as 2026-03-24T14:30+00:00; default: now.")] = "",
) -> None:
    """Look at the last quarter-hour before a time, by what is usual. Prints what it finds; keeps and tells nothing."""
    found = asyncio.run(_look(_moment(at) if at else SystemClock().now()))
    typer.echo(f"{found.judged} of {found.series} series judged, {len(found.found)} unusual")
    for reason, series in sorted(found.why_not.items()):
        typer.echo(f"not judged: {series}: {reason}")
    for each in found.found:
        typer.echo(
            f"{each.rank} {each.kind} {each.series.signal} {each.series.area} {_time(each.since)} {each.score:.1f}"
        )


def _moment(typed: str) -> datetime:
    try:
        time = datetime.fromisoformat(typed)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ConfigurationError("--at: write a time with its zone, such as 2026-03-24T14:30+00:00")
    return time


async def _recent() -> list[Proposal]:
    async with open_database(load_settings()) as database:
        return await ProposalStore(database).recent(SystemClock().now() - KEPT)


async def _get(proposal: str) -> tuple[Proposal, tuple[Step, ...]]:
    async with open_database(load_settings()) as database:
        found = await ProposalStore(database).get(proposal)
    if found is None:
        raise ConfigurationError(f"there is no proposal {proposal}: see `callrouter surges list`")
    return found


async def _look(at: datetime) -> Screened:
    from alerts.surges.screening import look  # the detectors are for who uses them
    from alerts.surges.usual import read_usual

    async with open_database(load_settings()) as database:
        return await look(database, london(), at, await database.read(read_usual))


def _line(each: Proposal) -> str:
    place = f"{each.series.signal} {each.series.area}"
    return f"{each.id} {each.state} {each.kind} {place} {_time(each.since)} {each.score:.1f}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
