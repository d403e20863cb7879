"""``callrouter kpi``: figures of any time, their comparison with a recount, and the file for the collection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from alerts.figures.adc import write_adc
from alerts.figures.history import KpiHistory
from alerts.figures.history_rows import DAY, midnight
from alerts.figures.items import ITEMS, Kpis
from alerts.figures.recontact import WITHIN_H, Recontact, Recontacts
from alerts.figures.recount_waiting import recount_waiting
from alerts.figures.small_numbers import SMALL, SMALLEST, held_back, of_few, shown
from alerts.model import LONDON
from callrouter.cli.common import open_database
from callrouter.cli.kpi_window import check_day, london_day, read_days, read_window
from callrouter.dispatch.providers import Providers, read_providers
from callrouter.errors import ConfigurationError
from callrouter.figures.comparing import Compared, Comparison
from callrouter.figures.folding import KpiFolder
from callrouter.figures.kpis import contracts_of, history_of
from callrouter.journal import Journal
from callrouter.keys import key_ring
from callrouter.settings import load_settings
from infra.bus import MemoryStream
from infra.clock import SystemClock
from infra.sql import Database

app = typer.Typer(help="Figures of calls by item code (docs/alerts.md, Figures).", no_args_is_help=True)


class By(StrEnum):
    """Whose figures, a line for each."""

    TOTAL = "total"
    PROVIDER = "provider"
    SERVICE = "service"
    AREA = "area"


class Since(StrEnum):
    """From when a caller's time counts."""

    OFFERED = "offered"
    MESSAGE_END = "message_end"


Clock = Annotated[Since, typer.Option("--clock", help="From when a caller's time counts.")]
EveryCount = Annotated[
    bool,
    typer.Option(
        "--every-count",
        help="For the clinical roles: every count to the call, and every item of services and areas.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
Day = Annotated[datetime | None, typer.Argument(formats=["%Y-%m-%d"], help="A London day; default: yesterday.")]


_HELD = (
    "Counts under 5 are held back, with what would give them away (–). "
    "Clinical roles: the pages of the wallboard, or --every-count."
)
_WITHHELD = (
    "Rounded to 5, and counts under 5 are held back, with what would give them away (–). "
    "Clinical roles: the pages of the wallboard, or --every-count."
)


@app.command()
def show(
    window: Annotated[str, typer.Option(help="15m, 60m (any minutes), today, week, or FROM..TO, two days.")] = "today",
    by: Annotated[By, typer.Option(help="A list of items for each.")] = By.TOTAL,
    clock: Clock = Since.OFFERED,
    every_count: EveryCount = False,
    as_json: AsJson = False,
) -> None:
    """Print every item for the calls of a stretch of time. Who still waits has no time yet.

    Without counts under 5, unless every count is asked for; of services and areas only the calls offered, rounded to 5.
    """
    start, end = read_window(window, SystemClock().now())

    async def ask() -> tuple[list[Kpis], datetime | None]:
        async with _opened() as counted:
            until = await counted.history.counted_until()
            return await counted.history.window(start, end, by.value, clock.value), until

    found, until = asyncio.run(ask())
    held = None if every_count or not of_few(by) else shown({each.name: int(each.of("A01") or 0) for each in found})
    if holds := not of_few(by) and _holds_back(every_count):
        found = list(held_back(found))
    if as_json:
        said = until.isoformat() if until else None
        if held is not None:
            typer.echo(json.dumps([{"name": name, "A01": told, "counted_until": said} for name, told in held.items()]))
            return
        typer.echo(json.dumps([{**_as_data(each), "counted_until": said} for each in found]))
        return
    typer.echo(f"{start.astimezone(LONDON):%Y-%m-%d %H:%M} to {end.astimezone(LONDON):%Y-%m-%d %H:%M}, clock {clock}")
    if until is None or until < end:
        typer.echo(
            f"counted until {until.astimezone(LONDON):%Y-%m-%d %H:%M:%S}" if until else "not known until when counted"
        )
    if not found:
        typer.echo("no call of that time is counted")
    if held is not None:
        for name, told in held.items():
            typer.echo(f"  {name}: {told} calls offered")
        typer.echo(_WITHHELD)
        return
    for kpis in found:
        typer.echo(f"{kpis.name} ({kpis.scope})")
        for code, item in ITEMS.items():
            value, in_place = kpis.of(code), (kpis.held or {}).get(code)
            title = item.of_the_past or item.title
            typer.echo(f"  {code:<15}{in_place or ('not known' if value is None else f'{value:g}'):>12}  {title}")
    if holds:
        typer.echo(_HELD)


@app.command()
def waiting(
    by: Annotated[By, typer.Option(help="A line for each at which somebody waits.")] = By.TOTAL,
    every_count: EveryCount = False,
    as_json: AsJson = False,
) -> None:
    """Print who waits now and how long the longest has, as the journal tells it: a second or two behind the pages.

    Of services and areas only how many, rounded to 5, without small ones, unless every count is asked for. Of providers
    and the whole service who waits now is told in full.
    """
    now = SystemClock().now()

    async def ask() -> dict[str, tuple[int, float]]:
        async with _opened() as counted:
            return dict(await counted.database.study(partial(recount_waiting, now=now)))

    found = {scope: counts for scope, counts in asyncio.run(ask()).items() if scope.partition(":")[0] == by.value} or (
        {"total": (0, 0.0)} if by is By.TOTAL else {}
    )
    few = of_few(by) and not every_count
    held = shown({scope: calls for scope, (calls, _) in found.items()}) if few else {}
    if as_json:
        told = [{"scope": scope, "waiting": held.get(scope, calls), "longest_wait_s": None if few else round(wait_s, 3)}
                for scope, (calls, wait_s) in found.items()]  # fmt: skip
        typer.echo(json.dumps({"at": now.isoformat(), "waiting": told}))
        return
    typer.echo(f"{now.astimezone(LONDON):%Y-%m-%d %H:%M:%S}")
    for scope, (calls, wait_s) in found.items():
        longest = f", the longest for {wait_s:.0f} s" if calls and not few else ""
        typer.echo(f"  {scope}: {held.get(scope, calls)} waiting{longest}")
    if held:
        typer.echo(_WITHHELD)
    if not found:
        typer.echo("  nobody waits")


@app.command()
def recontact(
    window: Annotated[str, typer.Option(help="FROM..TO, two days that are three days past, or week.")],
    every_count: EveryCount = False,
    as_json: AsJson = False,
) -> None:
    """Print how many callers who were sent away rang again, by end class, message and version of the flow.

    A message is of a need, often of a place: rounded to 5, without small counts, unless every count is asked for.
    """
    first, last = read_days(window, SystemClock().now())

    async def ask() -> list[Recontact]:
        async with _opened() as counted:
            return await Recontacts(counted.database).told(first, last)

    found = asyncio.run(ask())
    counts = [(each.callers, *each.again) for each in found]
    if every_count:
        told = [[str(count) for count in line] for line in counts]
    else:
        columns = [shown({str(row): count for row, count in enumerate(column)}) for column in zip(*counts, strict=True)]
        told = [[column[str(row)] for column in columns] for row in range(len(found))]
    if as_json:
        data = [asdict(each) for each in found]
        if not every_count:
            data = [{**each, "callers": line[0], "again": line[1:]} for each, line in zip(data, told, strict=True)]
        typer.echo(json.dumps(data))
        return
    if not found:
        typer.echo("no caller by a known number was sent elsewhere or left with a message")
    for each, (callers, *times) in zip(found, told, strict=True):
        again = ", ".join(f"{count} in {hours} h" for count, hours in zip(times, WITHIN_H, strict=True))
        heard = each.message or "no message"
        typer.echo(f"{each.end_class}, {heard}, version {each.flow_version}: {callers} callers, again {again}")
    if found and not every_count:
        typer.echo(_WITHHELD)


@app.command()
def check(day: Day = None, every_count: EveryCount = False, as_json: AsJson = False) -> None:
    """Compare a day's figures with a recount of the raw journal. Exit 1 if they differ anywhere."""
    compared = asyncio.run(_check(_day(day)))
    calls = _calls(compared.calls, every_count)
    if as_json:
        typer.echo(json.dumps({"day": str(compared.day), "calls": calls, "differ": compared.differ}))
    else:
        typer.echo(f"{compared.day}: {calls} calls, {compared.scopes} scopes differ from the recount")
        for source, found in compared.differ.items():
            for scope, places in found.items():
                typer.echo(f"  {source}: {scope} in {places} places", err=True)
    raise typer.Exit(1 if compared.differ else 0)


@app.command()
def fold(day: Day = None, every_count: EveryCount = False, as_json: AsJson = False) -> None:
    """Count every call of a day anew from the journal. Safe to run again, and while calls go on."""
    asked = _day(day)
    folded = _calls(asyncio.run(_fold(asked)), every_count)
    typer.echo(json.dumps({"day": str(asked), "calls": folded}) if as_json else f"{folded} calls counted")


@app.command()
def export(
    month: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="The month, as 2026-10.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    clock: Clock = Since.MESSAGE_END,
    every_count: EveryCount = False,
) -> None:
    """Write a month as the IUC aggregate data collection publishes it: a row for each contract and item.

    Without counts under 5, unless every count is asked for, as the collection itself does.
    """
    first = month.date().replace(day=1)
    check_day(first, london_day(SystemClock().now()))
    after = (first + timedelta(days=31)).replace(day=1)

    async def ask() -> tuple[list[Kpis], Providers, datetime | None]:
        async with _opened() as counted:
            until = await counted.history.counted_until()
            found = await counted.history.window(midnight(first), midnight(after), "provider", clock.value)
            return found, counted.providers, until

    figures, providers, until = asyncio.run(ask())
    holds = _holds_back(every_count)
    try:
        with out.open("w", newline="", encoding="utf-8") as file:
            left_out = write_adc(
                file, f"{first:%Y-%m}", contracts_of(providers), held_back(figures) if holds else figures
            )
    except OSError as error:
        raise ConfigurationError(f"{out}: {error.strerror}") from error
    for provider in left_out:
        typer.echo(f"{provider} has no contract in the providers file, and is left out", err=True)
    if until is None or until < midnight(after):
        said = f"only until {until.astimezone(LONDON):%Y-%m-%d %H:%M}" if until else "until nobody knows when"
        typer.echo(f"{first:%Y-%m} is counted {said}: this file is not final", err=True)
    typer.echo(f"{len(figures) - len(left_out)} contracts written to {out}")
    if holds:
        typer.echo(_HELD, err=True)


def _holds_back(every_count: bool) -> bool:
    """Whether small counts of providers and of the whole service are not printed."""
    return not every_count and not load_settings().tells_small_counts


def _calls(count: int, every_count: bool) -> int | str:
    return SMALL if count < SMALLEST and _holds_back(every_count) else count


@dataclass(frozen=True, slots=True)
class _Counted:
    database: Database
    history: KpiHistory
    providers: Providers


@asynccontextmanager
async def _opened() -> AsyncIterator[_Counted]:
    settings = load_settings()
    providers = read_providers(settings.providers_file)
    async with open_database(settings) as database:
        yield _Counted(database, history_of(database, providers), providers)


async def _check(day: date) -> Compared:
    async with _opened() as counted:
        while await counted.history.roll():
            pass
        comparison = Comparison(counted.database, counted.history, Recontacts(counted.database))
        return await comparison.of_day(day, SystemClock().now())


async def _fold(day: date) -> int:
    async with _opened() as counted:
        journal = Journal(counted.database, key_ring(load_settings()))
        folded = await KpiFolder(MemoryStream(), journal, counted.history).fold_between(
            midnight(day), midnight(day + DAY)
        )
        while await counted.history.roll():
            pass
        return folded


def _day(given: datetime | None) -> date:
    today = london_day(SystemClock().now())
    day = given.date() if given else today - DAY
    check_day(day, today)
    return day


def _as_data(kpis: Kpis) -> dict[str, Any]:
    held = kpis.held or {}
    return {
        "scope": str(kpis.scope), "name": kpis.name, "start": kpis.start.isoformat(), "end": kpis.end.isoformat(),
        "clock": kpis.clock, "ends": {**kpis.ends, **{name: text for name, text in held.items() if name not in ITEMS}},
        "values": {**kpis.values, **{code: text for code, text in held.items() if code in ITEMS}},
    }  # fmt: skip
