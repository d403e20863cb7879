"""``plan import``, ``plan sources`` and ``plan quarantine`` on the command line. What is printed names nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from careplans.errors import CarePlanError, PlanFileError
from careplans.model import RowFault
from careplans.operators import By, operator
from careplans.sources.discards import Discarded, WhyDiscarded
from careplans.sources.files import OneFile
from careplans.sources.model import BY_HAND, Delivered, Freshness, Quarantined, RunReport, RunState
from careplans.sources.runs import PlanRuns

T = TypeVar("T")

OpenRuns = Callable[[], AbstractAsyncContextManager[PlanRuns]]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
OfSource = Annotated[str | None, typer.Option("--source", help="Only this source.")]
Most = Annotated[int, typer.Option("--most", help="At most so many, the newest first.")]
RunNumber = Annotated[int, typer.Argument(help="The number of a held run; see `callrouter plan sources`.")]


def add_sources(app: typer.Typer, open_runs: OpenRuns) -> None:
    """Add the commands to ``plan``."""

    @app.command("import")
    def import_plans(
        file: Annotated[Path, typer.Argument(help="A .csv, .json or .ndjson file; see docs/plan-files.md.")],
        as_json: AsJson = False,
    ) -> None:
        """Import plans; refused rows are listed, the good ones kept. Exit 1 if any was refused, or the run is held."""
        (delivered,) = _ask(open_runs, lambda runs: runs.run(BY_HAND, OneFile(file)), as_json)
        _say_delivered(file, delivered, as_json)
        raise typer.Exit(1 if delivered.run.refused or delivered.run.state is RunState.HELD else 0)

    app.add_typer(_sources_app(open_runs), name="sources")
    app.add_typer(_quarantine_app(open_runs), name="quarantine")


def _sources_app(open_runs: OpenRuns) -> typer.Typer:
    app = typer.Typer(help="The runs of the sources, and those that wait for a decision.", invoke_without_command=True)

    @app.callback()
    def list_runs(context: typer.Context, source: OfSource = None, most: Most = 20, as_json: AsJson = False) -> None:
        """The newest runs: what each brought, and which are held; and when each source was last read to its end."""
        if context.invoked_subcommand is None:
            found, fresh = _ask(open_runs, partial(_runs, source=source, most=most), as_json)
            typer.echo(_runs_json(found, fresh) if as_json else _runs_words(found, fresh))

    @app.command()
    def release(run: RunNumber, as_json: AsJson = False) -> None:
        """Let a held run withdraw what it would."""
        _say_run(_ask(open_runs, lambda runs: runs.release(run), as_json), as_json)

    @app.command()
    def refuse(run: RunNumber, as_json: AsJson = False) -> None:
        """Withdraw nothing of what a held run would; what it loaded stays."""
        _say_run(_ask(open_runs, lambda runs: runs.refuse(run), as_json), as_json)

    return app


def _quarantine_app(open_runs: OpenRuns) -> typer.Typer:
    app = typer.Typer(help="Records that could not be read.", invoke_without_command=True)

    @app.callback()
    def list_records(
        context: typer.Context, source: OfSource = None, most: Most = 100, as_json: AsJson = False
    ) -> None:
        """What could not be read and has not come again right: source, line, fields and reasons, no value."""
        if context.invoked_subcommand is None:
            found = _ask(open_runs, lambda runs: runs.quarantined(source, most), as_json)
            typer.echo(_json([asdict(each) for each in found]) if as_json else "\n".join(map(_record_words, found)))

    @app.command()
    def discard(
        record: Annotated[str, typer.Argument(help="The id of a record, as `callrouter plan quarantine` shows it.")],
        why: Annotated[WhyDiscarded, typer.Option(help="What stands in the audit.")],
        by: By,
    ) -> None:
        """Destroy a record that somebody has seen to, and enter it in the audit. Exit 1 if there is none of this id."""
        if not _ask(open_runs, lambda runs: runs.discard(record, why, operator(by)), as_json=False):
            typer.echo("no record of this id is in quarantine", err=True)
            raise typer.Exit(1)

    @app.command("discarded")
    def list_discarded(source: OfSource = None, most: Most = 100, as_json: AsJson = False) -> None:
        """What people have discarded, as the audit says: record, source, why, when, and the hash of who."""
        found = _ask(open_runs, lambda runs: runs.discarded(source, most), as_json)
        typer.echo(_json([asdict(each) for each in found]) if as_json else "\n".join(map(_discarded_words, found)))

    return app


async def _runs(runs: PlanRuns, source: str | None, most: int) -> tuple[list[RunReport], list[Freshness]]:
    return await runs.runs(source, most), await runs.freshness(source)


def _ask(open_runs: OpenRuns, question: Callable[[PlanRuns], Awaitable[T]], as_json: bool) -> T:
    async def ask() -> T:
        async with open_runs() as runs:
            answer = await question(runs)
            await runs.scrubber.wait_for_readers(partial(typer.echo, err=True))
            return answer

    try:
        return asyncio.run(ask())
    except CarePlanError as error:
        _say_failed(error, as_json)
        raise typer.Exit(1) from None


def _say_failed(error: CarePlanError, as_json: bool) -> None:
    if not as_json:
        typer.echo(str(error), err=True)
        return
    facts: dict[str, object] = {"error": error.error_id, "message": str(error)}
    if isinstance(error, PlanFileError):
        facts |= {"file": error.file, "line": error.line, "cause": error.cause}
    typer.echo(json.dumps(facts))


def _say_delivered(file: Path, delivered: Delivered, as_json: bool) -> None:
    run = delivered.run
    if as_json:
        faults = {"refused": delivered.refused, "warnings": delivered.odd}
        listed = {name: [asdict(fault) for fault in each] for name, each in faults.items()}
        counts = {"run": run.id, "state": run.state, "imported": run.imported, "updated": run.updated,
                  "unchanged": run.unchanged, "withdrawn": run.withdrawn}  # fmt: skip
        typer.echo(_json({"file": str(file)} | counts | listed))
        return
    words = f"{run.imported} imported, {run.updated} updated, {run.unchanged} unchanged, {run.refused} refused"
    typer.echo(f"{words}, {run.withdrawn} withdrawn" if run.withdrawn else words)
    if run.state is RunState.HELD:
        typer.echo(_held_words(run), err=True)
    for fault in delivered.refused:
        typer.echo(_fault_words(file, fault), err=True)
    for fault in delivered.odd:
        typer.echo(f"{_fault_words(file, fault)} (warning)", err=True)


def _fault_words(file: Path, fault: RowFault) -> str:
    return f"{file}:{fault.line}: {fault.field}: {fault.reason}"


def _held_words(run: RunReport) -> str:
    would = f"would withdraw {run.would_withdraw} of {run.in_force} plans ({run.why})"
    return f"run {run.id} is held: it {would}; `callrouter plan sources release {run.id}` or `… refuse {run.id}`"


def _say_run(run: RunReport, as_json: bool) -> None:
    typer.echo(_json(asdict(run)) if as_json else _run_words(run))


def _runs_json(runs: Sequence[RunReport], fresh: Sequence[Freshness]) -> str:
    times = {each.source: {"read_at": each.read_at, "delivered_at": each.delivered_at} for each in fresh}
    return _json([asdict(run) | {"freshness": times.get(run.source)} for run in runs])


def _runs_words(runs: Sequence[RunReport], fresh: Sequence[Freshness]) -> str:
    return "\n".join([*map(_run_words, runs), *map(_fresh_words, fresh)])


def _fresh_words(each: Freshness) -> str:
    read, delivered = _ago(each.read_at, each.at), _ago(each.delivered_at, each.at)
    return f"{each.source}: last read to its end {read}, newest delivery {delivered}"


def _ago(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "never"
    minutes = max(0, int((now - at).total_seconds() // 60))
    days, hours = minutes // 1440, minutes // 60
    return f"{days} d ago" if days > 1 else f"{hours} h ago" if hours > 1 else f"{minutes} min ago"


def _run_words(run: RunReport) -> str:
    if run.state is RunState.HELD:
        return f"{run.source}: {_held_words(run)}"
    counts = ", ".join(
        f"{getattr(run, name)} {name}" for name in ("imported", "updated", "unchanged", "withdrawn", "refused")
    )
    why = f" ({run.why})" if run.why else ""
    return f"{run.source}: run {run.id}, {run.began_at:%Y-%m-%d %H:%M} UTC, {run.state}{why}: {counts}"


def _record_words(record: Quarantined) -> str:
    faults = "; ".join(f"{name}: {reason}" for name, reason in record.faults)
    loaded = ", loaded without it" if record.loaded else ""
    return f"{record.id} {record.source}, run {record.run}, line {record.line}: {faults} ({record.times} times{loaded})"


def _discarded_words(each: Discarded) -> str:
    return f"{each.record} {each.source}: {each.why}, {each.at:%Y-%m-%d %H:%M} UTC, by {each.by[:12]}"


def _json(facts: object) -> str:
    return json.dumps(facts, default=str)
