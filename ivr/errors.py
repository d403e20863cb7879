"""What can go wrong with a flow, as a tree.

::

    FlowError             the flow is not usable
    ├── FlowDefect        one or more defects, each with the place in the file where it stands
    └── SessionError      a running session cannot go on; the caller goes to the default 111 service
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """Something wrong in a flow. ``where`` is the path in the file (``nodes.menu.exits.dental``)."""

    where: tuple[str, ...]
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{'.'.join(self.where) or 'flow'}: {self.text} [{self.rule}]"


class FlowError(Exception):
    """Base of all."""


class FlowDefect(FlowError):
    """The flow has defects and must not be used; the one that runs stays."""

    def __init__(self, defects: Sequence[Defect]) -> None:
        super().__init__("; ".join(str(each) for each in defects))
        self.defects = tuple(defects)


class SessionError(FlowError):
    """The session cannot go on. ``error_id`` is stable; hand the caller to the default 111 service."""

    def __init__(self, error_id: str, node: str) -> None:
        super().__init__(f"{error_id} at {node}")
        self.error_id = error_id
        self.node = node
