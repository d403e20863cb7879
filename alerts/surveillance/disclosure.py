"""Small numbers leave no house: cells under 5 are withheld, and a second one where a total would reveal the first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALLEST = 5


def withheld(table: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which cells of ``table`` (R, C; counts) are not to be shown, where the totals of its rows and columns are.

    Every cell under 5, 0 included; then, while a row or column has exactly one withheld cell, the smallest shown
    cell of that line as well. A line of a single cell has a total that says the same: it is withheld with the cell.
    """
    hidden = np.asarray(table < SMALLEST)
    while True:
        before = int(hidden.sum())
        for lines, mask in ((table, hidden), (table.T, hidden.T)):
            for line, hides in zip(lines, mask, strict=True):
                if hides.sum() == 1 and len(line) > 1:
                    shown = np.where(hides, np.iinfo(np.int64).max, line)
                    hides[int(shown.argmin())] = True
        if int(hidden.sum()) == before:
            return hidden
