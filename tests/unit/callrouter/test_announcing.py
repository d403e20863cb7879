"""What an announce node asks about: service and area, told apart."""

from __future__ import annotations

import pytest

from callrouter.announcing import asked_about


@pytest.mark.parametrize(
    ("about", "service", "area"),
    [
        ("", "", ""),
        ("dental", "dental", ""),
        ("111", "111", ""),
        ("SE1 7EH", "", "SE1 7EH"),
        ("se17eh", "", "se17eh"),
        ("M1 1AE", "", "M1 1AE"),
        ("south_east", "", "south_east"),
        ("unknown", "", "unknown"),
        ("elsewhere", "", "elsewhere"),
        ("dental SE1 7EH", "dental", "SE1 7EH"),
        ("mental_health south_east", "mental_health", "south_east"),
    ],
)
def test_service_and_area(about: str, service: str, area: str) -> None:
    assert asked_about(about) == (service, area)
