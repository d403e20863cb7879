"""Figures: calls folded into what is true now, of any window, and of the past."""
