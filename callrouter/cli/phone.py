"""placeholder until adapters/phone lands"""

import typer


def add(app: typer.Typer) -> None:
    pass
