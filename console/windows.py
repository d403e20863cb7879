"""The stretches of time that a page of figures can be switched to; links, so that no script is needed."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class Window(StrEnum):
    """As it stands in the address: ``?window=15``."""

    QUARTER = "15"
    HOUR = "60"
    TODAY = "today"

    @property
    def minutes(self) -> int | Literal["today"]:
        """How long it is."""
        return "today" if self is Window.TODAY else int(self)

    @property
    def link(self) -> str:
        """What leads to it."""
        return "Today" if self is Window.TODAY else f"{self} minutes"

    @property
    def during(self) -> str:
        """As a part of a sentence: calls offered …"""
        return "since midnight" if self is Window.TODAY else f"in the last {self} minutes"


def read_window(asked: str | None) -> Window:
    """The window of an address; today for anything else."""
    return Window(asked) if asked in set(Window) else Window.TODAY
