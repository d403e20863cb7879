"""Alarms that follow one another are one episode: what a person is told of once, and what the budget counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Episode:
    """Of one series: from its first alarm to its last, both included, as places in time."""

    series: int
    start: int
    end: int


def episodes(alarm: NDArray[np.bool_], apart: int) -> list[Episode]:
    """The episodes in ``alarm`` (S, T), by series and time. Alarms up to ``apart`` steps apart belong together."""
    found: list[Episode] = []
    for series in np.flatnonzero(alarm.any(axis=1)):
        times = np.flatnonzero(alarm[series])
        breaks = np.flatnonzero(np.diff(times) > apart)
        starts, ends = times[np.r_[0, breaks + 1]], times[np.r_[breaks, len(times) - 1]]
        found += [Episode(int(series), int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
    return found


def count_episodes(alarm: NDArray[np.bool_], apart: int) -> int:
    """How many episodes there are; the same as the length of :func:`episodes`, without making them."""
    until = np.cumsum(np.pad(alarm, ((0, 0), (1, 0))), axis=1)
    steps = np.arange(alarm.shape[1])
    recent = until[:, steps] - until[:, np.maximum(steps - apart, 0)] > 0
    return int((alarm & ~recent).sum())


def fading(below: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """(S,): whether each of the last ``steps`` of ``below`` (S, T) is True: then taking a message off may be proposed.

    ``below`` compares the count *with* deflected and self-served callers: a message hides the surge that it answers.
    ``steps`` are 48 hours at the least (safety.md 9 of the service's rules).
    """
    if below.shape[1] < steps:
        return np.zeros(len(below), bool)
    return np.asarray(below[:, -steps:].all(axis=1))
