"""``plan erase``, ``hold``, ``lift-hold``, ``export`` and ``expire`` on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from careplans.erasing import WhyErased, WhyHeld
from careplans.errors import CarePlanError
from careplans.operators import By, operator
from careplans.records import PlanRecords
from careplans.retention import MOST_AT_ONCE

OpenRecords = Callable[[], AbstractAsyncContextManager[PlanRecords]]
Plan = Annotated[str, typer.Argument(help="The plan's id, as `plan lookup` prints it.")]
T = TypeVar("T")


def add_records(app: typer.Typer, open_records: OpenRecords) -> None:
    """Add the commands to the sub-app ``plan``; ``open_records`` opens the service for the length of one."""

    @app.command()
    def erase(
        plans: Annotated[list[str], typer.Argument(help="Ids of plans, as `plan lookup` prints them.")],
        why: Annotated[WhyErased, typer.Option(help="What stands on the tombstone.")],
        by: By,
    ) -> None:
        """Destroy the keys of these plans for good; a tombstone stays. Erase at the source first.

        With them goes what could not be read of them; at the patient's request, all that gives their NHS number. Each
        counts. Refused under a legal hold. Exit 1 if nothing was erased.
        """
        done = _run(open_records, lambda records: records.erase(plans, why, operator(by)))
        typer.echo(f"{done} erased" if done else "0 erased: that was done before")
        raise typer.Exit(0 if done else 1)

    @app.command()
    def hold(plan: Plan, why: Annotated[WhyHeld, typer.Option(help="What the hold is for.")], by: By) -> None:
        """Put a plan under a legal hold: it is not erased, by command or by age."""
        _run(open_records, lambda records: records.hold(plan, why, operator(by)))
        typer.echo("held")

    @app.command("lift-hold")
    def lift(plan: Plan, by: By) -> None:
        """Lift a legal hold."""
        _run(open_records, lambda records: records.lift(plan, operator(by)))
        typer.echo("lifted")

    @app.command()
    def export(
        plan: Annotated[str, typer.Argument(help="The id of one plan of the person.")],
        by: By,
        folder: Annotated[Path, typer.Option(help="Where the draft is written.")] = Path(),
    ) -> None:
        """Write what is held of a plan's person as a draft for a reviewer (JSON and Markdown, mode 0600); recorded."""
        try:
            for path in _run(open_records, lambda records: records.export(plan, folder, operator(by))):
                typer.echo(str(path))
        except OSError as error:
            typer.echo(f"the draft cannot be written: {error.strerror}", err=True)
            raise typer.Exit(1) from None

    @app.command()
    def expire() -> None:
        """Erase now what the table of retention says is over its time, as the service does each hour."""
        typer.echo(f"{_run(open_records, _expire)} records ended")


async def _expire(records: PlanRecords) -> int:
    ended = 0
    while done := await records.end_those_over():
        ended += done
        if done < MOST_AT_ONCE:
            break
    await records.scrubber.cut_log()
    return ended


def _run(open_records: OpenRecords, work: Callable[[PlanRecords], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with open_records() as records:
            done = await work(records)
            await records.scrubber.wait_for_readers(partial(typer.echo, err=True))
            return done

    try:
        return asyncio.run(opened())
    except CarePlanError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
