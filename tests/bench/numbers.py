"""Fictional telephone numbers, each once: a number that calls a third time would take another way through the flow."""

from __future__ import annotations

from collections.abc import Iterator

# Ofcom's numbers for drama: a thousand behind each prefix.
DRAMA = (
    "+441134960", "+441144960", "+441154960", "+441164960", "+441174960", "+441184960", "+441214960",
    "+441314960", "+441414960", "+441514960", "+441614960", "+442079460", "+441914980", "+447700900",
)  # fmt: skip


def fictional_numbers() -> Iterator[str]:
    """14,000 numbers in E.164."""
    for prefix in DRAMA:
        for last in range(1000):
            yield f"{prefix}{last:03}"
