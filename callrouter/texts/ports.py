"""Who carries texts.

::

    TextNotTaken        the provider has not taken it, for certain: another may be asked
    ├── TextRefused     and never will take this one (its template, the number, our account)
    └── ProviderBusy    but may later (down, too many at once)
    TextUnsure          nobody can say whether it took it: do not give it to anybody else
"""

from __future__ import annotations

from typing import Protocol

from callrouter.texts.model import Text


class TextNotTaken(Exception):
    """``reason`` is a stable word; it holds no number and no words of the text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TextRefused(TextNotTaken):
    """Do not give it to this provider again."""


class ProviderBusy(TextNotTaken):
    """Give it to another provider now, or to this one later."""


class TextUnsure(Exception):
    """Ask with :meth:`TextProvider.find` in a minute. ``reason`` as above."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TextProvider(Protocol):
    """One provider. A contract suite runs against every implementation."""

    @property
    def name(self) -> str:
        """A stable word, kept with the text."""

    async def send(self, text: Text) -> None:
        """Give it the text under its reference; returns when it was taken.

        Raises :class:`TextRefused`, :class:`ProviderBusy`, :class:`TextUnsure`.
        """

    async def find(self, reference: str) -> bool | None:
        """Whether it took a text under this reference; None if it cannot say (now, or ever)."""
