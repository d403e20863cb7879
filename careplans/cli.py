"""``plan`` on the command line. What is printed names nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import date
from typing import Annotated, NoReturn

import typer

from careplans.errors import CarePlanError, KeysDoNotFit, PlanStoreFailed
from careplans.model import Candidate, Match, MatchLevel, Viewer, unmatchable
from careplans.operators import By
from careplans.service import KEYS_DO_NOT_FIT, CarePlans
from careplans.sources.cli import OpenRuns, add_sources
from infra.numbers import Number, read_number

OpenService = Callable[[], AbstractAsyncContextManager[CarePlans]]
"""Raises :class:`PlanStoreFailed` where the store cannot be opened."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


def plan_app(open_service: OpenService, open_runs: OpenRuns) -> typer.Typer:
    """The sub-app ``plan``. The services are opened for the length of one command."""
    app = typer.Typer(help="Care and crisis plans.", no_args_is_help=True)
    add_sources(app, open_runs)

    @app.command()
    def lookup(
        number: Annotated[str, typer.Argument(help="A telephone number, as it is dialled or in E.164.")],
        as_json: AsJson = False,
    ) -> None:
        """Say which plans a number may mean. Opens none of them. Exit 1 if that is not known."""
        _say(asyncio.run(_lookup(open_service, read_number(number))), as_json)

    @app.command()
    def find(by: By, as_json: AsJson = False) -> None:
        """Say which plans a patient has, restricted ones too; asks for who it is. Opens none; recorded in the audit.

        Exit 1 if that is not known.
        """
        # asked for and not given as arguments: those stand in the shell's history and in the list of processes
        nhs_number = typer.prompt("NHS number (empty: by name)", default="", show_default=False)
        name = "" if nhs_number else typer.prompt("Family name")
        born = None if nhs_number else typer.prompt("Date of birth (YYYY-MM-DD)", value_proc=_day)
        try:
            match = asyncio.run(_find(open_service, Viewer(by, "administrator"), nhs_number, name, born))
        except CarePlanError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        _say(match, as_json)

    return app


def _say(match: Match, as_json: bool) -> NoReturn:
    typer.echo(json.dumps(_match_json(match)) if as_json else _match_words(match))
    if match.reason == KEYS_DO_NOT_FIT:
        typer.echo(str(KeysDoNotFit()), err=True)
    raise typer.Exit(1 if match.outcome is MatchLevel.UNAVAILABLE else 0)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter("write the day as YYYY-MM-DD, for example 1984-03-27") from None


async def _find(open_service: OpenService, viewer: Viewer, nhs_number: str, name: str, born: date | None) -> Match:
    async with open_service() as plans:
        await plans.enter_search(viewer)
        return await (plans.find_by_nhs_number(nhs_number) if born is None else plans.find_by_name(name, born))


async def _lookup(open_service: OpenService, number: Number) -> Match:
    # Before anything is opened: such a number must not even reach the database's connection.
    refusal = unmatchable(number)
    if refusal is not None:
        return refusal
    try:
        async with open_service() as plans:
            return await plans.match_number(number)
    except PlanStoreFailed as error:
        typer.echo(str(error), err=True)
        return Match(MatchLevel.UNAVAILABLE, "store_failed")


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
