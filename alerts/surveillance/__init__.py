"""Surges seen early: counts by symptom and area against what was to be expected. Methods: docs/surveillance.md.

Nothing that carries a call imports this package: it needs numpy and scipy, which are slow to load.
"""

import os

# Before numpy is imported: the matrices here are small. Two threads cost twice the CPU on a quiet machine, and on
# a busy one each waits for the other, forty times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
