"""Surges seen early: counts by symptom and area against what was to be expected. Methods: docs/surveillance.md.

Nothing that carries a call imports this package: it needs numpy and scipy, which are slow to load.
"""
