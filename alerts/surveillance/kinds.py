"""What an exceedance is, and which of many to look at first."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from alerts.surveillance.glm import Array


class Kind(StrEnum):
    """Count and share of all calls, judged together."""

    SURGE = "surge"  # both are up: for public health
    DEMAND = "demand_rise"  # only the count is: all of 111 is busier, which a share alone would hide
    MIX = "change_of_mix"  # only the share is: shown, and no more


def kind_of(count_is_up: bool, share_is_up: bool) -> Kind | None:
    """None where neither is up."""
    if count_is_up:
        return Kind.SURGE if share_is_up else Kind.DEMAND
    return Kind.MIX if share_is_up else None


def ranks(p: Array) -> NDArray[np.intp]:
    """The place (N,) of each of ``p`` in the order in which to look, from 1, by adjusted p value; equal ones share it.

    Benjamini and Hochberg 1995 (J. R. Statist. Soc. B 57, 289). It only ranks: whether something is an exceedance is
    decided by the budget of false episodes.
    """
    adjusted = adjust(p)
    return 1 + np.searchsorted(np.sort(adjusted), adjusted, side="left")


def adjust(p: Array) -> Array:
    """The false discovery rates (N,) at which each of ``p`` would be the last one named."""
    order = np.argsort(p)
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return adjusted
