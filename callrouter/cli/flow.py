"""``callrouter flow``: checking a flow, and playing it in the terminal without any service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from callrouter.errors import ConfigurationError
from callrouter.flows import FlowFileError, load_flow, load_prompts
from callrouter.playing import play_flow
from callrouter.providers import read_providers
from callrouter.settings import load_settings
from ivr.check import World
from ivr.flow import Flow
from ivr.proof.lengths import estimate_lengths

app = typer.Typer(help="Flows: what callers hear and where it leads.", no_args_is_help=True)


def _world() -> World:
    settings = load_settings()
    services = read_providers(settings.providers_file).services
    prompts = load_prompts(settings.prompts_file)
    return World(frozenset(prompts), services, estimate_lengths([prompts]))


@app.command()
def check(files: Annotated[list[Path], typer.Argument(help="Flow files (.yaml).")]) -> None:
    """Check flows: schema, dangling exits, unreachable nodes, loops, and that every path ends with a person.

    Prints FILE:LINE: what is wrong; exit 1 if anything is.
    """
    world = _world()
    sound = True
    for file in files:
        try:
            flow = load_flow(file, world)
        except FlowFileError as error:
            sound = False
            typer.echo(str(error), err=True)
        else:
            what = f"{flow.flow} {flow.version}, {len(flow.nodes)} nodes"
            typer.echo(f"{file}: ok, {what}, every path ends with a person")
    raise typer.Exit(0 if sound else 1)


@app.command()
def play(
    file: Annotated[Path, typer.Argument(help="A flow file (.yaml).")],
    plan: Annotated[str, typer.Option(help="What the look-up of plans shall answer.")] = "none",
    repeat: Annotated[str, typer.Option(help="What the look-up of earlier calls shall answer.")] = "NRC",
) -> None:
    """Play a flow here: type a digit or words, an empty line for silence, `h` to hang up."""
    flow: Flow = load_flow(file, _world())
    prompts = load_prompts(load_settings().prompts_file)
    try:
        play_flow(flow, prompts, {"plan": plan, "repeat": repeat})
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
