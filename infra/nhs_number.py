"""NHS numbers: which ten digits may be one."""

from __future__ import annotations


def is_nhs_number(digits: str) -> bool:
    """Ten digits whose last is right by modulus 11, not all the same (NHS Data Dictionary, NHS NUMBER)."""
    if len(digits) != 10 or not (digits.isascii() and digits.isdigit()) or len(set(digits)) == 1:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    check = 11 - total % 11
    return check != 10 and int(digits[9]) == check % 11
