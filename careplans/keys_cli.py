"""``plan rotate-keys`` on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import typer

from careplans.errors import PlanStoreFailed
from careplans.rotation import Rotated, Rotation
from infra.crypto import KeyRing

Told = Callable[[str, int, int], None]
OpenRotation = Callable[[Told], AbstractAsyncContextManager[tuple[Rotation, KeyRing]]]


def add_rotate_keys(app: typer.Typer, open_rotation: OpenRotation) -> None:
    """Add the command to the sub-app ``plan``; ``open_rotation`` opens one run, with the key ring in force."""

    @app.command("rotate-keys")
    def rotate_keys() -> None:
        """Bring every stored record under the newest keys, while calls go on; stopped, it may be begun again.

        The order of the whole change is in docs/careplans.md. Exit 1 if an older key is still needed.
        """
        try:
            done, keys = asyncio.run(_rotate(open_rotation))
        except PlanStoreFailed as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        typer.echo(f"{done.changed} records brought under the newest keys")
        if not done.settled:
            typer.echo(
                "records keep coming under older keys: give every process the new keys first, then run this again"
            )
        clear = [_say("master key", keys.masters[1:], done.masters_needed, done.settled, "97 hours")]
        settled = done.settled and not done.unreviewed
        clear.append(_say("index key", keys.index_keys[1:], done.index_keys_needed, settled, "30 days"))
        if done.unreviewed and len(keys.index_keys) > 1:
            clear.append(False)
            typer.echo(f"index keys: {done.unreviewed} emergency accesses wait for their review: review them first")
        raise typer.Exit(0 if all(clear) and done.settled else 1)


async def _rotate(open_rotation: OpenRotation) -> tuple[Rotated, KeyRing]:
    current = ""

    def told(table: str, looked_at: int, changed: int) -> None:
        nonlocal current
        start, current = "\n" if current not in ("", table) else "\r", table  # each table on a line that grows
        typer.echo(f"{start}{table}: {looked_at} looked at, {changed} changed", err=True, nl=False)

    async with open_rotation(told) as (rotation, keys):
        done = await rotation.run()
    typer.echo(err=True)
    return done, keys


def _say(what: str, older: Sequence[str], needed: dict[str, int], settled: bool, after: str) -> bool:
    """Say of each older key whether it may be taken away; returns whether each one may."""
    for each in older:
        if each in needed:
            typer.echo(f"{what} {each}: {needed[each]} records still need it")
        elif settled:
            typer.echo(f"{what} {each}: may be removed once no process writes with it and {after} have passed")
    strange = {each: count for each, count in needed.items() if each not in older}
    for each, count in strange.items():
        typer.echo(f"{what} {each}: not among the keys, and {count} records need it")
    return not needed
