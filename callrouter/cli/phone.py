"""``callrouter dial``, ``simulate`` and ``demo``: telephones without a telephone network."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from adapters.phone.line import Line, open_line
from adapters.phone.simulate import Summary, simulate
from adapters.phone.terminal import dial as dial_from_terminal
from callrouter.demo import fresh_folder, run_demo
from callrouter.dispatch.providers import read_providers
from callrouter.embedded import serving
from callrouter.logs import set_up_logs
from callrouter.settings import Settings, load_settings
from callrouter.tokens import twilio_tokens

SHOWN = ("offered", "answered", "abandoned", "deflected", "in_error", "lost")
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def add(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(dial)
    app.command("simulate")(simulate_calls)
    app.command()(demo)


def dial(
    number: Annotated[str, typer.Argument(help="The calling number, such as +447700900123; or `withheld`.")],
    dialled: Annotated[str, typer.Option(help="The number that is dialled.")] = "111",
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="How much faster than life to run.")] = 4.0,
) -> None:
    """Call the service from this terminal: prompts as text; type digits, words, Enter for silence, h to hang up.

    Uses the service that runs at the settings' address; where none runs, one inside this command.
    """
    settings = load_settings()
    names = {each.tel: each.name for each in read_providers(settings.providers_file)}
    asyncio.run(_dial(settings, "" if number == "withheld" else number, dialled, speed, names))


async def _dial(settings: Settings, number: str, dialled: str, speed: float, names: dict[str, str]) -> None:
    async with _line(settings) as line:
        console = Console()
        await dial_from_terminal(
            line, number, console=console, typed=sys.stdin, names=names, speed=speed, dialled=dialled
        )


def simulate_calls(
    calls: Annotated[int, typer.Option(min=1, help="How many calls to make.")] = 20,
    rate: Annotated[float, typer.Option(min=0.01, max=500, help="New calls a second, on average.")] = 2.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same callers.")] = 1,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="How much faster than life callers live.")] = 12.0,
    as_json: AsJson = False,
) -> None:
    """Place simulated callers through the real, signed webhook path; exit 1 if one was lost."""
    settings = load_settings()
    summary = asyncio.run(_simulate(settings, calls, rate, seed, speed, quiet=as_json))
    _print(summary, as_json)


async def _simulate(settings: Settings, calls: int, rate: float, seed: int, speed: float, *, quiet: bool) -> Summary:
    def note(so_far: Summary) -> None:
        if not quiet and sys.stderr.isatty():
            typer.echo(f"\r{_ended(so_far)}/{calls} calls ended", err=True, nl=False)

    async with _line(settings) as line:
        return await simulate(line, calls=calls, rate=rate, seed=seed, speed=speed, progress=note)


def demo(
    for_s: Annotated[
        float | None, typer.Option("--for", min=5, help="End by itself after about so many seconds.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the whole service with fictional plans and simulated callers until Ctrl-C. Exit 1 if one was lost."""
    set_up_logs(quiet=True)
    chosen = load_settings()
    folder = chosen.data_dir if "data_dir" in chosen.model_fields_set else Path("data/demo")
    own: dict[str, Any] = {"data_dir": fresh_folder(folder), "open_wallboard": True}
    if "small_counts_of_providers" not in chosen.model_fields_set:
        own["small_counts_of_providers"] = "shown"  # its callers are nobody
    settings = load_settings(**own)

    def tell(text: str) -> None:
        typer.echo(text, err=as_json)

    if for_s is None:
        tell("Simulated callers are arriving. Ctrl-C ends.")
    summary = asyncio.run(run_demo(settings, for_s=for_s, tell=tell))
    _print(summary, as_json)


@asynccontextmanager
async def _line(settings: Settings) -> AsyncIterator[Line]:
    """A line to the service that runs, or to one that runs as long as the call."""
    if await _runs(settings):
        line = open_line(
            f"http://{settings.host}:{settings.port}",
            auth_token=twilio_tokens(settings)[0],
            public_url=settings.address,
        )
        try:
            yield line
        finally:
            await line.client.aclose()
        return
    async with serving(settings), _line(settings) as line:
        yield line


async def _runs(settings: Settings) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        try:
            answer = await client.get(f"http://{settings.host}:{settings.port}/live")
        except httpx.TransportError:
            return False
    return answer.status_code == 200


def _ended(summary: Summary) -> int:
    return sum(getattr(summary, name) for name in SHOWN[1:])


def _print(summary: Summary, as_json: bool) -> None:
    """What became of the callers. Those who had not finished when the demo was stopped are not counted."""
    figures = {name: getattr(summary, name) for name in SHOWN}
    figures["offered"] = _ended(summary)
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        typer.echo("  ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()))
    if summary.unserved:
        words = "of these had no answer of the service, and the fall-back rang the default 111 service for them"
        typer.echo(f"{summary.unserved} {words}: `callrouter dial` says what it answered instead", err=True)
    if figures["lost"]:
        raise typer.Exit(1)
