"""Ask for a number: keyed, or said digit by digit, and read back."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ivr import pieces, spoken
from ivr.actions.read_back import ReadBack


class AskNumber(ReadBack):
    """A number of ``least`` to ``most`` digits, into a fact of type number."""

    action: Literal["ask_number"]
    least: int = Field(default=1, ge=1, le=20, strict=True)
    most: int = Field(ge=2, le=20, strict=True)

    TYPE: ClassVar[str] = "number"
    LONGEST_PIECES: ClassVar[tuple[str, ...]] = tuple(pieces.DIGITS) * 2

    @model_validator(mode="after")
    def _least_is_less(self) -> AskNumber:
        if self.least > self.most:
            raise ValueError("least is more than most")
        return self

    @property
    def most_keys(self) -> int:
        return self.most

    def keyed(self, keys: str) -> str | None:
        return keys if self.least <= len(keys) <= self.most and keys.isdecimal() else None

    def said(self, words: str) -> str | None:
        return self.keyed(spoken.digits(words) or "")

    def pieces(self, value: str) -> tuple[str, ...]:
        return pieces.of_digits(value)

    def every_piece(self) -> tuple[str, ...]:
        return pieces.DIGITS
