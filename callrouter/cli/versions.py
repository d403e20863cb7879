"""``callrouter flow draft|approve|publish|…``: the life of versions, for whoever has a shell on this machine.

In development anybody acts under any name. In production a shell proves nobody's name: there one may only read, and
stop, roll back or recall, which one person may do at any hour.
"""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from callrouter.approvals import Refused
from callrouter.call_backs.in_force import call_backs_in_force
from callrouter.cli.common import open_database
from callrouter.dispatch.providers import read_providers
from callrouter.errors import ConfigurationError
from callrouter.flows import load_prompts
from callrouter.handover import Role, SignedIn
from callrouter.journal import Journal
from callrouter.keys import key_ring
from callrouter.publishing.model import Version
from callrouter.publishing.opening import open_publishing
from callrouter.publishing.service import Publishing
from callrouter.replay.report import Report
from callrouter.replay.service import Replay
from callrouter.settings import Settings, load_settings
from callrouter.texts.in_force import texts_in_force
from infra.clock import SystemClock

T = TypeVar("T")
VersionId = Annotated[str, typer.Argument(metavar="VERSION", help="Twelve hex digits, as `flow history` shows.")]
Name = Annotated[str, typer.Option("--as", help="Who you are; in production the user of this shell.")]
InRole = Annotated[Role, typer.Option("--role", help="In which role; in production administrator.")]
Note = Annotated[str, typer.Option(help="Why, for the record.")]
FORMATS = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S%z"]
At = Annotated[datetime, typer.Option(help="With its zone: 2026-12-24T08:00:00+00:00.", formats=FORMATS)]


def add(app: typer.Typer) -> None:
    """Add the commands to ``callrouter flow``."""
    for command in (draft, approve, publish, schedule, stage, stop, recall, history, replay):
        app.command()(command)
    app.command("roll-back")(roll_back)


def draft(
    file: Annotated[Path, typer.Argument(help="The flow file; its subflows in the same folder, or below.")],
    prompts: Annotated[Path | None, typer.Option(help="New prompts: a file of texts by key.")] = None,
    note: Note = "",
    name: Name = "",
    role: InRole = Role.COMMISSIONER,
) -> None:
    """Put in a new version. Prints what it touches, and what it still needs."""
    top = file.parent
    files = {str(each.relative_to(top)): _text_of(each) for each in top.rglob("*.yaml")}

    async def work(service: Publishing, who: SignedIn) -> Version:
        texts = {service.language: load_prompts(prompts)} if prompts else {}
        return await service.draft_files(files, file.name, texts, note, who)

    _show(_changing(work, _person(name, role)))


def approve(
    version: VersionId,
    shown: Annotated[str, typer.Option("--hash", help="The hash of what you have read.")],
    name: Name = "",
    role: InRole = Role.COMMISSIONER,
) -> None:
    """Agree to a version that somebody else wrote."""
    _show(_changing(lambda service, who: service.approve(version, shown, who), _person(name, role)))


def publish(version: VersionId, name: Name = "", role: InRole = Role.COMMISSIONER) -> None:
    """Live for the next call."""
    _show(_changing(lambda service, who: service.publish(version, who), _person(name, role)))


def schedule(version: VersionId, at: At, name: Name = "", role: InRole = Role.COMMISSIONER) -> None:
    """Live from a time on, by itself."""
    _show(_changing(lambda service, who: service.schedule(version, at, who), _person(name, role)))


def stage(
    version: VersionId,
    share: Annotated[float, typer.Option(help="Share of calls, 0.01 to 0.5.")] = 0.1,
    name: Name = "",
    role: InRole = Role.COMMISSIONER,
) -> None:
    """Live for a share of calls, compared with the live version."""
    _show(_changing(lambda service, who: service.stage(version, share, who), _person(name, role)))


def stop(version: VersionId, note: Note = "", name: Name = "", role: InRole = Role.ADMINISTRATOR) -> None:
    """End a schedule or a staged release, or give up a draft."""
    _show(_changing(lambda service, who: service.stop(version, who, note), _person(name, role, alone=True)))


def roll_back(note: Note = "", name: Name = "", role: InRole = Role.ADMINISTRATOR) -> None:
    """Back to the version before; calls in progress finish."""

    async def work(service: Publishing, who: SignedIn) -> str:
        await service.roll_back(who, note)
        return service.live_version

    typer.echo(f"live: {_changing(work, _person(name, role, alone=True))}")


def recall(version: VersionId, note: Note = "", name: Name = "", role: InRole = Role.ADMINISTRATOR) -> None:
    """Unsafe: calls in progress go to 111 at their next wait, new ones take the last good version."""
    _show(_changing(lambda service, who: service.recall(version, who, note), _person(name, role, alone=True)))


def history(
    version: Annotated[str | None, typer.Argument(help="Of one version; else of all.")] = None,
) -> None:
    """Who did what, newest first."""
    reader = _person("", Role.ADMINISTRATOR, alone=True)
    for each in _changing(lambda service, who: service.history(who, version), reader):
        role = f" ({each.role.replace('_', ' ')})" if each.role else ""
        typer.echo(f"{each.at:%Y-%m-%d %H:%M:%S}Z  {each.version}  {each.step:<16} {each.who}{role}  {each.note}")


def replay(
    version: Annotated[str, typer.Option(help="The version to try.")],
    start: Annotated[datetime, typer.Option("--from", formats=FORMATS)],
    end: Annotated[datetime, typer.Option("--to", formats=FORMATS)],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Play recorded calls through a version: who would have gone elsewhere. Times with their zone. Names nobody."""
    settings, who = load_settings(), _person("", Role.ADMINISTRATOR, alone=True)

    async def work() -> Report:
        async with _opened(settings) as (service, journal):
            return await Replay(journal, service).run(version, start, end, who)

    found = _refusing(work())
    typer.echo(json.dumps(found.plain(), indent=2) if as_json else table(found))


def table(found: Report) -> str:
    """The report in words and columns."""
    quarter, half, three = found.seconds
    lines = [
        f"{found.calls} calls through {found.version}{' (the newest; there were more)' if found.is_cut else ''}",
        f"{found.same:>7} come where they came",
        f"{found.elsewhere:>7} would have gone elsewhere",
        f"{found.unknown:>7} undetermined",
        f"before a person: {found.sooner} sooner, {found.as_soon} as soon, {found.later} later;"
        f" {half:+g} s for the call in the middle, half of them {quarter:+g} to {three:+g} s",
    ]
    if found.changes:
        lines += ["", f"{'calls':>7}  {'seconds':>8}  from → to"]
        lines += [f"{each.calls:>7}  {each.seconds:>+8g}  {each.was} → {each.becomes}" for each in found.changes]
    if found.undetermined:
        lines += ["", f"{'calls':>7}  undetermined because"]
        lines += [f"{calls:>7}  {why}" for why, calls in found.undetermined]
    return "\n".join(lines)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: not a text file in UTF-8 (octet {error.start})") from error
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error


def _person(name: str, role: Role, *, alone: bool = False) -> SignedIn:
    """Who types; in production only for what one person may do."""
    if not load_settings().is_production:
        return SignedIn(name or getpass.getuser(), role)
    if not alone:
        raise ConfigurationError("in production this needs a sign-in: use the console, or its API")
    return SignedIn(f"{getpass.getuser()} (shell)", Role.ADMINISTRATOR)


def _changing(work: Callable[[Publishing, SignedIn], Awaitable[T]], who: SignedIn) -> T:
    settings = load_settings()

    async def run() -> T:
        async with _opened(settings) as (service, _journal):
            return await work(service, who)

    return _refusing(run())


def _refusing(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except Refused as refused:
        raise ConfigurationError(f"{refused.error_id}: {refused}") from refused


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Publishing, Journal]]:
    services = read_providers(settings.providers_file).services
    async with open_database(settings) as database:
        service, _flows = open_publishing(
            settings, database, SystemClock(), services, texts_in_force(settings),
            call_backs=call_backs_in_force(settings),
        )  # fmt: skip
        await service.refresh()
        yield service, Journal(database, key_ring(settings))


def _show(version: Version) -> None:
    row = version.row
    typer.echo(f"{row.flow} {row.version}: {row.state.replace('_', ' ')}")
    typer.echo(f"hash     {row.content_hash}")
    if version.touches:
        typer.echo(f"touches  {', '.join(version.touches)}: clinical safety has to approve it")
    if version.needs:
        typer.echo(f"needs    {version.needs.replace('_', ' ')}")
    for problem in row.problems:
        typer.echo(f"problem  {problem}", err=True)
