"""``callrouter alerts …``. The detectors are imported when a command runs: they are slow to load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alerts.surveillance.errors import SurveillanceError

# As alerts.surveillance.control has it, which is not to be imported here.
Method = Literal["farrington-flexible", "ears-c1", "ears-c2", "ears-c3"]

app = typer.Typer(help="Surges: judge a series, see what detectors are worth; staff mail.", no_args_is_help=True)


@app.command()
def detect(
    method: Annotated[Method, typer.Option(help="The detector.")],
    config: Annotated[Path, typer.Option(help="JSON: R's names of its settings, and range and freq.")],
    source: Annotated[Path, typer.Option("--input", help="CSV: t,epoch,observed[,epochAsDate,date].")],
    output: Annotated[Path, typer.Option(help="CSV to write: t,observed,expected,upperbound,alarm,score.")],
) -> None:
    """Judge each time of the range; docs/surveillance.md. Exit 2, and nothing written, if that cannot be done."""
    from alerts.surveillance.detect import detect_file

    try:
        found = detect_file(method, config, source, output)
    except SurveillanceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{found.alarm.shape[1]} times judged, {int(found.alarm.sum())} alarms: {output}")


@app.command()
def evaluate(
    output: Annotated[Path, typer.Option(help="Folder for evaluation.csv, evaluation.md and evaluation.svg.")],
    series: Annotated[int, typer.Option(min=100, help="Series of each scenario; minutes for a hundred.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 2026,
) -> None:
    """Judge made-up outbreaks: false episodes, probability of detection, timeliness; docs/surveillance.md."""
    from alerts.surveillance import report
    from alerts.surveillance.evaluate import by_hour, weekly

    rows = [*weekly(series, seed), *by_hour(series, seed)]
    table = report.as_table(rows)
    output.mkdir(parents=True, exist_ok=True)
    for name, text in (("csv", report.as_csv(rows)), ("md", table), ("svg", report.as_svg(rows))):
        (output / f"evaluation.{name}").write_text(text, encoding="utf-8")
    typer.echo(table)
