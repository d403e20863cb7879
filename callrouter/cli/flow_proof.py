"""``callrouter flow check|diff|export``: what a flow can do to callers, shown before it is live."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from callrouter.call_backs.in_force import call_backs_in_force
from callrouter.dispatch.providers import read_providers
from callrouter.flows import FlowFileError, load_flow, load_part, load_prompts, load_proof
from callrouter.publishing.soundness import promised_with
from callrouter.settings import load_settings
from callrouter.texts.in_force import texts_in_force
from infra.sounds import keys_of_sounds, seconds_of_sounds
from ivr.check import World
from ivr.export.markdown import as_markdown
from ivr.export.mermaid import as_mermaid
from ivr.export.part import part_as_markdown, with_exits
from ivr.flow import Flow
from ivr.proof.diff import as_data, as_table, differences
from ivr.proof.lengths import Lengths, estimate_lengths
from ivr.proof.report import report
from ivr.voices import by_language, language_of, plain_key


def world_in_force() -> World:
    """What a flow may refer to here: the prompts, how long they are, and the services of the settings."""
    settings = load_settings()
    prompts = load_prompts(settings.prompts_file)
    folder = settings.prompts_audio_dir
    lengths = estimate_lengths(by_language(prompts), seconds_of_sounds(folder) if folder else None)
    texts = texts_in_force(settings)
    services = read_providers(settings.providers_file).services
    return World(frozenset(prompts), services, lengths, promised_with(texts, call_backs_in_force(settings)), texts)


class Network(StrEnum):
    """How callers come."""

    SIP = "sip"
    TWILIO = "twilio"
    BOTH = "both"


def check(
    files: Annotated[list[Path], typer.Argument(help="Flow files (.yaml).")],
    network: Annotated[
        Network | None,
        typer.Option(help="How callers come; default: by SIP too if the settings name a folder of recorded prompts."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="All that the verdict rests on.")] = False,
) -> None:
    """Prove of flows that every path ends with a person, in time, and tells nobody of a plan (docs/proof.md).

    Prints FILE:LINE: what is wrong; exit 1 if anything is.
    """
    folder = load_settings().prompts_audio_dir
    by_sip = folder is not None if network is None else network is not Network.TWILIO
    sounds = keys_of_sounds(folder) if folder is not None and by_sip else None
    world = replace(world_in_force(), sounds=sounds)
    sound = True
    for file in files:
        try:
            found = report(load_proof(file, world))
        except FlowFileError as error:
            sound = False
            typer.echo(str(error), err=True)
            continue
        typer.echo(f"{file}: {found.verdict()}")
        for line in found.details() if verbose else ():
            typer.echo(f"  {line}")
    raise typer.Exit(0 if sound else 1)


def diff(
    before: Annotated[Path, typer.Argument(help="The flow that callers meet now.")],
    after: Annotated[Path, typer.Argument(help="The flow that they would meet.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print data instead of a table.")] = False,
) -> None:
    """Where callers went, and where they would go: only what differs, by area, hours, plan, repeat outcome and key."""
    world = world_in_force()
    rows = differences(load_flow(before, world), load_flow(after, world), world.lengths or Lengths())
    if as_json:
        typer.echo(json.dumps(as_data(rows), indent=2))
    elif rows:
        typer.echo("\n".join(as_table(rows)))
    else:
        typer.echo("nothing differs: with their first two keys, callers go where they went, in the same time")


class Form(StrEnum):
    """What a flow can be written out as."""

    MERMAID = "mermaid"
    MARKDOWN = "markdown"


def export(
    file: Annotated[Path, typer.Argument(help="A flow file (.yaml).")],
    form: Annotated[Form, typer.Option("--as", help="A diagram, or a document to sign.")] = Form.MARKDOWN,
) -> None:
    """Write a flow that passed the check out: as a diagram, or as everything that a caller can meet, to be signed.

    A subflow's file alone is written out with the facts that it shares and its exits, and says that it is a part.
    """
    world = world_in_force()
    if (part := load_part(file, world)) is not None:
        written = (
            as_mermaid(with_exits(part))
            if form is Form.MERMAID
            else part_as_markdown(part, _texts_for(part, part=True))
        )
    else:
        proof = load_proof(file, world)
        whole = proof.flow
        written = as_mermaid(whole) if form is Form.MERMAID else as_markdown(report(proof), _texts_for(whole))
    typer.echo(written, nl=False)


def _texts_for(flow: Flow, *, part: bool = False) -> dict[str, dict[str, str]]:
    """The prompts of the settings in the flow's languages; for a part in all, since it is said in its holder's."""
    first, found = flow.languages[0], {language: dict[str, str]() for language in flow.languages}
    for key, text in load_prompts(load_settings().prompts_file).items():
        language = language_of(key) or first
        if part or language in found:
            found.setdefault(language, {})[plain_key(key)] = text
    return found
