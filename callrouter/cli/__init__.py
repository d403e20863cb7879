"""The command line: ``callrouter …``. Errors are one sentence that says what to do; ``--help`` is everywhere."""

from __future__ import annotations

import sys

import typer

from alerts.surveillance.cli import app as alerts_app
from callrouter.cli import audit, call, database, doctor, encounters, flow, lab, phone, serve, up, versions, watch
from callrouter.cli.common import open_plan_runs, open_plans, open_records, open_rotation
from callrouter.errors import ConfigurationError
from callrouter.logs import set_up_logs
from careplans.cli import plan_app
from careplans.keys_cli import add_rotate_keys
from careplans.records_cli import add_records

app = typer.Typer(
    help="NHS 111 patient relationship manager: one front door before many local services.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
versions.add(flow.app)
app.add_typer(flow.app, name="flow")
app.add_typer(audit.app, name="audit")
plan = plan_app(open_plans, open_plan_runs)
add_rotate_keys(plan, open_rotation)
add_records(plan, open_records)
app.add_typer(plan, name="plan")
app.add_typer(call.app, name="call")
app.add_typer(alerts_app, name="alerts")
app.add_typer(encounters.app, name="encounters")
app.add_typer(database.app, name="db")
serve.add(app)
doctor.add(app)
watch.add(app)
up.add(app)
phone.add(app)
lab.add(app)


def main() -> None:
    """Run the command line; a file or setting that cannot be used is said in words, without a traceback."""
    set_up_logs(quiet=True)
    try:
        app()
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
