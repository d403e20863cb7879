"""Alerts that fire now, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from console import words
from console.alerts import SEVERITIES
from console.ports import FiringAlert


@dataclass(frozen=True, slots=True)
class FiringLine:
    """What a page says of one alert."""

    title: str
    where: str
    since: str
    severity: str
    colour: str
    taken: bool
    link: str


def firing_lines(alerts: Iterable[FiringAlert], scope: str | None = None) -> Sequence[FiringLine]:
    """The alerts in words, in their order; those of one ``scope`` alone if it is given."""
    return [
        FiringLine(
            title=each.title,
            where=each.where,
            since=words.clock_time(each.since)[:5],
            severity=words.capital(each.severity),
            colour=SEVERITIES.get(each.severity, "grey"),
            taken=each.acknowledged,
            link=each.link,
        )
        for each in alerts
        if scope is None or each.scope == scope
    ]
