"""Recorded calls played through another version of the flow: who would have gone elsewhere."""
