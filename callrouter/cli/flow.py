"""``callrouter flow``: all commands on flows; playing one in the terminal without any service is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from callrouter.cli.flow_proof import check, diff, export, world_in_force
from callrouter.errors import ConfigurationError
from callrouter.flows import load_flow, load_prompts
from callrouter.playing import play_flow
from callrouter.settings import load_settings
from ivr.flow import Flow

app = typer.Typer(help="Flows: what callers hear and where it leads.", no_args_is_help=True)


app.command()(check)
app.command()(diff)
app.command()(export)


@app.command()
def play(
    file: Annotated[Path, typer.Argument(help="A flow file (.yaml).")],
    plan: Annotated[str, typer.Option(help="What the look-up of plans shall answer.")] = "none",
    repeat: Annotated[str, typer.Option(help="What the look-up of earlier calls shall answer.")] = "NRC",
) -> None:
    """Play a flow here: type a digit or words, an empty line for silence, `h` to hang up."""
    flow: Flow = load_flow(file, world_in_force())
    prompts = load_prompts(load_settings().prompts_file)
    try:
        play_flow(flow, prompts, {"plan": plan, "repeat": repeat})
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
