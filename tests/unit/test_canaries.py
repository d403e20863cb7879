"""The search of what stand-ins receive finds what it is there for, and takes nothing else for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import canaries


@pytest.fixture(autouse=True)
def _found_here() -> Iterator[None]:
    yield
    canaries.FOUND.clear()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("/fhir/Patient?family=ZzFamily", ["a canary"]),
        ("/fhir/Patient?birthdate=1938-04-12", ["a date of birth"]),
        ("/fhir/Patient?identifier=999%20000%200018", ["an NHS number"]),
        ("/calls?from=%2B447700900101", ["a telephone number"]),
        ("From: 020 7946 0101", ["a telephone number"]),
        ("+44 (0)7700 900101", ["a telephone number"]),
        ("ref=9990000019&at=19991231T120000", []),
        ("/texts/receipts/twilio/0b7700900101", []),
        ("_lastUpdated=ge2026-06-01T12%3A00%3A00.004Z", []),
    ],
)
def test_what_is_personal_is_found_as_it_is_and_escaped(text: str, kinds: list[str]) -> None:
    assert canaries.personal_in(text) == kinds


def test_address_headers_and_body_are_looked_through() -> None:
    canaries.look_through("somebody", "/?n=07700900101", {"x-name": "Zzname"}, "born 1938-04-12")
    canaries.look_through("somebody else", "/notices", [("host", "127.0.0.1")])
    assert canaries.FOUND == [
        "somebody: a telephone number in the address",
        "somebody: a canary in the headers",
        "somebody: a date of birth in the body",
    ]
