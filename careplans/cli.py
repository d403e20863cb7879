"""``plan import`` and ``plan lookup`` on the command line. What is printed names nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from careplans.errors import CarePlanError, PlanFileError
from careplans.model import Candidate, ImportReport, Match, MatchLevel, RowFault, unmatchable
from careplans.service import CarePlans
from infra.numbers import Number, read_number

OpenService = Callable[[], AbstractAsyncContextManager[CarePlans]]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


def plan_app(open_service: OpenService) -> typer.Typer:
    """The sub-app ``plan``. ``open_service`` opens the service for the length of one command."""
    app = typer.Typer(help="Care and crisis plans.", no_args_is_help=True)

    @app.command("import")
    def import_plans(
        file: Annotated[Path, typer.Argument(help="A .csv or .json file; see docs/plan-files.md.")],
        as_json: AsJson = False,
    ) -> None:
        """Import plans; refused rows are listed and the good ones kept. Exit 1 if any was refused."""
        try:
            report = asyncio.run(_import(open_service, file))
        except CarePlanError as error:
            _say_failed(error, as_json)
            raise typer.Exit(1) from None
        _say_report(file, report, as_json)
        raise typer.Exit(1 if report.refused else 0)

    @app.command()
    def lookup(
        number: Annotated[str, typer.Argument(help="A telephone number, as it is dialled or in E.164.")],
        as_json: AsJson = False,
    ) -> None:
        """Say which plans a number may mean. Opens none of them. Exit 1 if the store did not answer."""
        match = asyncio.run(_lookup(open_service, read_number(number)))
        typer.echo(json.dumps(_match_json(match)) if as_json else _match_words(match))
        raise typer.Exit(1 if match.outcome is MatchLevel.UNAVAILABLE else 0)

    return app


async def _import(open_service: OpenService, file: Path) -> ImportReport:
    async with open_service() as plans:
        return await plans.import_file(file)


async def _lookup(open_service: OpenService, number: Number) -> Match:
    # Before anything is opened: such a number must not even reach the database's connection.
    refusal = unmatchable(number)
    if refusal is not None:
        return refusal
    async with open_service() as plans:
        return await plans.match_number(number)


def _say_failed(error: CarePlanError, as_json: bool) -> None:
    if not as_json:
        typer.echo(str(error), err=True)
        return
    facts: dict[str, object] = {"error": error.error_id, "message": str(error)}
    if isinstance(error, PlanFileError):
        facts |= {"file": error.file, "line": error.line, "cause": error.cause}
    typer.echo(json.dumps(facts))


def _say_report(file: Path, report: ImportReport, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(file)} | asdict(report)))
        return
    lines = len({fault.line for fault in report.refused})
    typer.echo(f"{report.imported} imported, {report.updated} updated, {report.unchanged} unchanged, {lines} refused")
    for fault in report.refused:
        typer.echo(_fault_words(file, fault), err=True)
    for fault in report.warnings:
        typer.echo(f"{_fault_words(file, fault)} (warning)", err=True)


def _fault_words(file: Path, fault: RowFault) -> str:
    return f"{file}:{fault.line}: {fault.field}: {fault.reason}"


def _match_json(match: Match) -> dict[str, object]:
    candidates = [_candidate_json(candidate) for candidate in match.candidates]
    return {
        "outcome": match.outcome,
        "reason": match.reason,
        "people": match.people,
        "candidates": candidates,
    }


def _candidate_json(candidate: Candidate) -> dict[str, object]:
    review_by = candidate.review_by
    return asdict(candidate) | {
        "valid_from": candidate.valid_from.isoformat(),
        "review_by": None if review_by is None else review_by.isoformat(),
    }


def _match_words(match: Match) -> str:
    head = f"{match.outcome} ({match.reason})"
    if match.candidates:
        head += f": {len(match.candidates)} plan(s), {match.people} possible person(s)"
    return "\n".join([head, *(_candidate_words(candidate) for candidate in match.candidates)])


def _candidate_words(candidate: Candidate) -> str:
    marks = [mark for mark, is_set in (("STALE", candidate.stale), ("raises priority", candidate.raises)) if is_set]
    words = [candidate.plan_id, candidate.kind, f"{candidate.source} ({candidate.author_org})"]
    words += [f"also in {each}" for each in candidate.also_in]
    words.append(f"from {candidate.valid_from}, review by {candidate.review_by or 'no date'}")
    return "  " + ", ".join([*words, *marks])
