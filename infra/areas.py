"""Areas: boroughs, integrated care boards and London itself, found from a postcode or a calling number.

What is found is where a caller *may* be. It may choose what they hear; it never keeps anybody from a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.yamlfile import read_yaml

FILE = Path(__file__).with_name("areas.yaml")

_OUTWARD = re.compile(r"([A-Z]{1,2}[0-9]{1,2})[A-Z]?")
_INWARD = re.compile(r"[0-9][A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Area:
    """A borough, an ICB (``kind``: ``borough``, ``icb``) or the ``region``; ``within`` are the areas that hold it."""

    id: str
    name: str
    kind: str
    code: str = ""
    within: tuple[str, ...] = ()


class Areas:
    """Every area that there is, by id, and the ways to find where a caller may be."""

    def __init__(
        self, areas: Iterable[Area], districts: dict[str, frozenset[str]], prefixes: dict[str, frozenset[str]]
    ) -> None:
        self._areas = {each.id: each for each in areas}
        self._districts = districts
        self._prefixes = prefixes

    def __getitem__(self, area: str) -> Area:
        return self._areas[area]

    def __contains__(self, area: object) -> bool:
        return area in self._areas

    def __iter__(self) -> Iterator[Area]:
        return iter(self._areas.values())

    def around(self, area: str) -> frozenset[str]:
        """The area and all that hold it; nothing for an id that nobody knows."""
        known = self._areas.get(area)
        return frozenset({area, *known.within}) if known else frozenset()

    def of_postcode(self, typed: str) -> frozenset[str]:
        """Ids of every area in which the postcode, or its district alone (``SE1``), may lie; empty for unknown ones."""
        district = district_of(typed)
        return self._with_all_around(self._districts.get(district, frozenset()))

    def of_number(self, e164: str | None) -> frozenset[str]:
        """Ids of every area of which the geographic code tells; mobile numbers tell of none."""
        if e164 is None:
            return frozenset()
        return self._with_all_around(
            area for prefix, held in self._prefixes.items() if e164.startswith(prefix) for area in held
        )

    def certain(self, where: Iterable[str]) -> str | None:
        """The narrowest area that is alone of its kind among these: a borough, else an ICB, else the region."""
        kinds: dict[str, list[str]] = {"borough": [], "icb": [], "region": []}
        for each in where:
            kinds[self._areas[each].kind].append(each)
        return next((found[0] for found in kinds.values() if len(found) == 1), None)

    def _with_all_around(self, areas: Iterable[str]) -> frozenset[str]:
        return frozenset(each for area in areas for each in self.around(area))


def district_of(typed: str) -> str:
    """``SW1`` of ``sw1a 2aa``, ``SW1A`` or ``SW1``: the outward code without a last letter. Empty if it is none."""
    text, _, rest = " ".join(typed.upper().split()).partition(" ")
    if rest and not _INWARD.fullmatch(rest):
        return ""
    if not rest and len(text) > 4 and _INWARD.fullmatch(text[-3:]):
        text = text[:-3]
    found = _OUTWARD.fullmatch(text)
    return found[1] if found else ""


@cache
def london() -> Areas:
    """The areas of the shipped file; see there for its sources."""
    return read_areas(FILE)


def read_areas(path: Path) -> Areas:
    """The areas of a file such as the shipped one. Raises YamlFileError or KeyError where it is defective."""
    data = read_yaml(path).data
    region = data["region"]
    areas = [Area(region["id"], region["name"], "region")]
    areas += [Area(each["id"], each["name"], "icb", each["code"], (region["id"],)) for each in data["icbs"]]
    boards = {each.id for each in areas}
    for each in data["boroughs"]:
        if each["icb"] not in boards:
            raise KeyError(f"{path}: {each['id']}: there is no ICB {each['icb']}")
        areas.append(Area(each["id"], each["name"], "borough", each["code"], (each["icb"], region["id"])))
    places = [region, *data["boroughs"]]
    return Areas(areas, _by(places, "postcodes"), _by(places, "cli"))


def _by(places: Iterable[dict[str, Any]], key: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for place in places:
        for value in place.get(key, ()):
            found.setdefault(value, set()).add(place["id"])
    return {value: frozenset(ids) for value, ids in found.items()}
