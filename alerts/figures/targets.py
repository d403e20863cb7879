"""Targets: what a figure should reach, as data with its source (``alerts/figures/targets.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from alerts.figures.items import ITEMS, Values
from infra.yamlfile import read_yaml

FILE = Path(__file__).with_name("targets.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``part`` divided by ``whole`` (item codes; ``part`` alone without) is to be at most, or at least, ``bound``.

    The bound itself is met. ``verified``: whether the number was read in a primary source.
    """

    id: str
    title: str
    part: str
    whole: str | None
    unit: Literal["share", "seconds"]
    bound: float
    is_ceiling: bool
    source: str
    verified: bool

    def figure(self, values: Values) -> float | None:
        """The figure that the target is about; None where it is not known, not collected, or there was no call."""
        part = values.get(self.part)
        if self.whole is None:
            return part
        whole = values.get(self.whole)
        return part / whole if part is not None and whole else None

    def is_met(self, values: Values) -> bool | None:
        """Whether these figures reach it; None where there is no figure."""
        figure = self.figure(values)
        if figure is None:
            return None
        return figure <= self.bound if self.is_ceiling else figure >= self.bound


@cache
def targets() -> tuple[Target, ...]:
    """The shipped targets, in the order of the file."""
    return read_targets(FILE)


def read_targets(path: Path) -> tuple[Target, ...]:
    """The targets of a file such as the shipped one. Raises YamlFileError, KeyError or ValueError for a defect."""
    return tuple(_target(each) for each in read_yaml(path).data["targets"])


def _target(found: dict[str, Any]) -> Target:
    whole = found.get("whole")
    for code in (found["part"], whole):
        if code is not None and code not in ITEMS:
            raise ValueError(f"{found['id']}: no item has the code {code}")
    if ("at_most" in found) == ("at_least" in found):
        raise ValueError(f"{found['id']}: a target has either at_most or at_least")
    return Target(
        id=found["id"],
        title=found["title"],
        part=found["part"],
        whole=whole,
        unit=found["unit"],
        bound=float(found["at_most" if "at_most" in found else "at_least"]),
        is_ceiling="at_most" in found,
        source=found["source"],
        verified=found["verified"] is True,
    )
