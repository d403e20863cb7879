"""Fuzzing, by hand: make fuzz-plans."""
