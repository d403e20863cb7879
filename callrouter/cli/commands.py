"""Which commands there are, and where each stands. Only what is asked for is imported: all of it takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

Add = Callable[[typer.Typer, str], None]
"""Adds one part's commands to the application; told which command of a group is asked for, if one is."""

OF_FLOW_FILES = frozenset({"check", "diff", "export", "play"})
"""Commands on flow files alone: they need no database, and log nothing."""


def reads_files_alone(words: Sequence[str]) -> bool:
    """Whether the command of ``words`` is one of :data:`OF_FLOW_FILES`."""
    return words[:1] == ["flow"] and not OF_FLOW_FILES.isdisjoint(words[1:2])


def commands(words: Sequence[str] = ()) -> typer.Typer:
    """The command that ``words`` begin with; all, for help, where they begin with none."""
    app = typer.Typer(
        help="NHS 111 patient relationship manager: one front door before many local services.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_group)
    first, second = (*words, "", "")[:2]
    for add in [PARTS[first]] if first in PARTS else dict.fromkeys(PARTS.values()):
        add(app, second)
    return app


def _group() -> None:
    """Keeps the application a group of commands, also when there is but one."""


def _flow(app: typer.Typer, command: str) -> None:
    from callrouter.cli import flow

    if command not in OF_FLOW_FILES:
        from callrouter.cli import versions

        versions.add(flow.app)
    app.add_typer(flow.app, name="flow")


def _plan(app: typer.Typer, _command: str) -> None:
    from callrouter.cli.common import open_plan_runs, open_plans, open_records, open_rotation
    from careplans.cli import plan_app
    from careplans.keys_cli import add_rotate_keys
    from careplans.records_cli import add_records

    plan = plan_app(open_plans, open_plan_runs)
    add_rotate_keys(plan, open_rotation)
    add_records(plan, open_records)
    app.add_typer(plan, name="plan")


def _audit(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import audit

    app.add_typer(audit.app, name="audit")


def _call(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import call

    app.add_typer(call.app, name="call")


def _alerts(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import alerts

    app.add_typer(alerts.app, name="alerts")


def _kpi(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import kpi

    app.add_typer(kpi.app, name="kpi")


def _surges(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import surges

    app.add_typer(surges.app, name="surges")


def _encounters(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import encounters

    app.add_typer(encounters.app, name="encounters")


def _database(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import database

    app.add_typer(database.app, name="db")


def _serve(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import serve

    serve.add(app)


def _doctor(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import doctor

    doctor.add(app)


def _auditor(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import auditor

    auditor.add(app)


def _watch(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import watch

    watch.add(app)


def _up(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import up

    up.add(app)


def _phone(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import phone

    phone.add(app)


def _lab(app: typer.Typer, _command: str) -> None:
    from callrouter.cli import lab

    lab.add(app)


PARTS: dict[str, Add] = {
    "flow": _flow,
    "audit": _audit,
    "plan": _plan,
    "call": _call,
    "alerts": _alerts,
    "kpi": _kpi,
    "surges": _surges,
    "encounters": _encounters,
    "db": _database,
    "serve": _serve,
    "settings": _serve,
    "doctor": _doctor,
    "watch": _watch,
    "auditor": _auditor,
    "up": _up,
    "dial": _phone,
    "simulate": _phone,
    "demo": _phone,
    "prompts": _lab,
    "lab": _lab,
}
"""Every command, in the order of the help."""
