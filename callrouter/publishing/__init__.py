"""Versions of flows: written, checked, approved, live, and away again; and who did each of it."""
