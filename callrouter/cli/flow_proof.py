"""``callrouter flow check|diff|export``: what a flow can do to callers, shown before it is live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from callrouter.flows import FlowFileError, load_flow, load_prompts
from callrouter.providers import read_providers
from callrouter.settings import load_settings
from infra.sounds import seconds_of_sounds
from ivr.check import World
from ivr.proof.lengths import estimate_lengths
from ivr.proof.prove import prove
from ivr.proof.report import report
from ivr.voices import by_language


def world_in_force() -> World:
    """What a flow may refer to here: the prompts, how long they are, and the services of the settings."""
    settings = load_settings()
    prompts = load_prompts(settings.prompts_file)
    folder = settings.prompts_audio_dir
    lengths = estimate_lengths(by_language(prompts), seconds_of_sounds(folder) if folder else None)
    return World(frozenset(prompts), read_providers(settings.providers_file).services, lengths)


def check(
    files: Annotated[list[Path], typer.Argument(help="Flow files (.yaml).")],
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="All that the verdict rests on.")] = False,
) -> None:
    """Prove of flows that every path ends with a person, in time, and tells nobody of a plan (docs/proof.md).

    Prints FILE:LINE: what is wrong; exit 1 if anything is.
    """
    world = world_in_force()
    sound = True
    for file in files:
        try:
            flow = load_flow(file, world)
        except FlowFileError as error:
            sound = False
            typer.echo(str(error), err=True)
            continue
        found = report(prove(flow, world.lengths))
        typer.echo(f"{file}: {found.verdict()}")
        for line in found.details() if verbose else ():
            typer.echo(f"  {line}")
    raise typer.Exit(0 if sound else 1)
