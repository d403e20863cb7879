"""The repeat-caller rule on its own: who is the same patient, which contacts are one, what two make of a call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.repeat.patient import Patient, Traits, lookup_keys, traits_of
from callrouter.repeat.rule import Encounter, Tie, distinct, judge, tie
from infra.crypto import KeyRing

KEYS = KeyRing(b"m" * 32, b"i" * 32)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ADA = Patient("Ada", "Fictional", date(1965, 2, 17), "female", "ZZ99 3AA")
NHS, OTHER_NHS = "9990000018", "9990000026"
NUMBER, OTHER_NUMBER = "+447700900123", "+447700900456"


def traits(patient: Patient = ADA, *numbers: str) -> Traits:
    return traits_of(KEYS, patient, numbers)


def verified(number: str, patient: Patient = ADA) -> Patient:
    return replace(patient, nhs_number=number, nhs_verified=True)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(verified(NHS), verified(OTHER_NHS), Tie.OTHER, id="different verified NHS numbers never match"),
        pytest.param(verified(NHS), verified(NHS, Patient("Bo", "Other")), Tie.SAME, id="equal verified NHS number"),
        pytest.param(ADA, verified(NHS), Tie.SAME, id="five equal, one NHS number known"),
        pytest.param(
            replace(ADA, nhs_number=NHS), verified(OTHER_NHS), Tie.SAME, id="an unverified NHS number says nothing"
        ),
        pytest.param(
            verified("1234567890"), verified("1234567890", Patient("Bo", "Other")), Tie.TOO_LITTLE,
            id="a wrong check digit is never matched on",
        ),
        pytest.param(ADA, replace(ADA, postcode="ZZ99 9ZZ"), Tie.SAME, id="four equal: moved"),
        pytest.param(ADA, replace(ADA, last_name="Married"), Tie.SAME, id="four equal: married"),
        pytest.param(ADA, replace(ADA, first_name=""), Tie.SAME, id="four present, four equal"),
        pytest.param(ADA, replace(ADA, first_name="Beth"), Tie.MAYBE, id="twins"),
        pytest.param(ADA, replace(ADA, postcode="", gender=""), Tie.MAYBE, id="three present, three equal"),
        pytest.param(ADA, replace(ADA, postcode="ZZ99 9ZZ", last_name="Married"), Tie.MAYBE, id="three equal of five"),
        pytest.param(
            ADA, replace(ADA, first_name="Max", gender="male", birth_date=date(2001, 1, 1)), Tie.OTHER, id="two equal"
        ),
        pytest.param(ADA, Patient("Ada", "Fictional"), Tie.TOO_LITTLE, id="fewer than three present"),
        pytest.param(
            ADA, replace(ADA, first_name=" ÁDA  Jane", last_name="fic-tional", postcode="zz993aa"), Tie.SAME,
            id="another spelling",
        ),
    ],
)  # fmt: skip
def test_who_is_the_same_patient(one: Patient, other: Patient, expected: Tie) -> None:
    assert tie(traits(one), traits(other)) is expected
    assert tie(traits(other), traits(one)) is expected


def test_a_number_alone_is_a_possibility_and_a_known_other_person_is_none() -> None:
    nobody = traits(Patient(), NUMBER)
    assert tie(nobody, traits(Patient(), NUMBER)) is Tie.BY_NUMBER
    assert tie(nobody, traits(ADA, NUMBER)) is Tie.BY_NUMBER
    assert tie(nobody, traits(ADA, OTHER_NUMBER)) is Tie.TOO_LITTLE
    son = Patient("Max", "Fictional", date(2001, 1, 1), "male", "ZZ99 3AA")
    assert tie(traits(son, NUMBER), traits(ADA, NUMBER)) is Tie.OTHER
    assert tie(traits(verified(NHS), NUMBER), traits(verified(OTHER_NHS), NUMBER)) is Tie.OTHER


def encounter(hours: float = 1, *, name: str = "", of: Traits | None = None, **more: str) -> Encounter:
    started = NOW - timedelta(hours=hours)
    return Encounter(name or started.isoformat(), started, traits() if of is None else of, **more)  # type: ignore[arg-type]


MINUTES = 1 / 60


@pytest.mark.parametrize(
    ("encounters", "contacts"),
    [
        pytest.param([encounter(5), encounter(9)], 2, id="two calls"),
        pytest.param([encounter(5, name="a", context="x"), encounter(9, name="b", context="x")], 1, id="one context"),
        pytest.param(
            [encounter(5, provider="A", case="7"), encounter(9, provider="A", case="7")], 1, id="one case reference"
        ),
        pytest.param(
            [encounter(5, provider="A"), encounter(5 + 30 * MINUTES, provider="A")], 1, id="one provider, 30 min"
        ),
        pytest.param([encounter(5, provider="A"), encounter(5.51, provider="A")], 2, id="one provider, over 30 min"),
        pytest.param([encounter(5, provider="A"), encounter(5.4, provider="B")], 2, id="two providers"),
        pytest.param([encounter(5), encounter(5.4)], 2, id="provider unknown"),
        pytest.param(
            [encounter(5, provider="A", case="7"), encounter(5.4, provider="A", case="8")], 2, id="two case references"
        ),
        pytest.param(
            [encounter(5, provider="A", of=traits(verified(NHS))),
             encounter(5.4, provider="A", of=traits(verified(OTHER_NHS)))], 2, id="two patients",
        ),
        pytest.param(
            [encounter(5, provider="A", of=traits(Patient(), NUMBER)),
             encounter(5.1, provider="A", of=traits(Patient(), NUMBER))], 2, id="by number alone, however close",
        ),
        pytest.param([encounter(5 + n * 25 * MINUTES, provider="A") for n in range(4)], 2, id="a chain has an end"),
    ],
)  # fmt: skip
def test_which_encounters_are_one_contact(encounters: list[Encounter], contacts: int) -> None:
    assert len(distinct(encounters)) == contacts
    assert distinct(encounters) == distinct(list(reversed(encounters)))


def test_a_call_of_ours_and_its_report_are_one_contact() -> None:
    ours = encounter(5, name="call", of=traits(Patient(), NUMBER), provider="XX1", context="ctx")
    by_time = encounter(5 - 2 * MINUTES, name="report", of=traits(ADA, NUMBER), provider="XX1", case="7")
    by_context = encounter(3, name="late", of=traits(ADA), provider="XX2", context="ctx")
    by_time = replace(by_time, external=True)
    assert len(distinct([by_time, ours])) == 1
    assert len(distinct([by_context, ours])) == 1


@pytest.mark.parametrize(
    ("earlier", "outcome", "reason"),
    [
        pytest.param([ADA, ADA], "RC", "same_patient", id="same patient twice"),
        pytest.param([ADA], "NRC", "fewer_than_two_earlier", id="once"),
        pytest.param([ADA, replace(ADA, first_name="Beth")], "PRC", "similar_patient", id="once, and a twin"),
        pytest.param([replace(ADA, first_name="Beth")] * 2, "PRC", "similar_patient", id="a twin, twice"),
        pytest.param([replace(ADA, postcode="", gender="")] * 2, "PRC", "similar_patient", id="three of five"),
        pytest.param([Patient("Ada", postcode="ZZ99 3AA")] * 2, "IIQ", "too_little_in_common", id="two of five"),
        pytest.param([Patient("Max", "Other", date(2001, 1, 1))] * 2, "NRC", "fewer_than_two_earlier", id="others"),
    ],
)
def test_what_the_earlier_contacts_make_of_a_call(earlier: list[Patient], outcome: str, reason: str) -> None:
    found = judge([traits()], NOW, [encounter(n + 1, of=traits(each)) for n, each in enumerate(earlier)])

    assert (found.outcome, found.reason) == (outcome, reason)
    assert bool(found.encounters) == (outcome == "RC")


def test_number_alone_is_never_more_than_potential() -> None:
    of_number = traits(Patient(), NUMBER)
    found = judge([of_number], NOW, [encounter(n + 1, of=of_number) for n in range(5)])

    assert (found.outcome, found.reason, found.encounters) == ("PRC", "by_number", ())


@pytest.mark.parametrize(
    ("encounters", "outcome"),
    [
        pytest.param([encounter(96 + 10 * MINUTES, provider="A"), encounter(96 - 10 * MINUTES, provider="A")], "NRC",
                     id="a part within the window of a contact that began before it"),
        pytest.param([encounter(96 + 20 * MINUTES, provider="A"), encounter(96 - 11 * MINUTES, provider="A")], "RC",
                     id="31 minutes apart: a contact of its own"),
        pytest.param([encounter(96 + 10 * MINUTES, provider="A"), encounter(96 - 10 * MINUTES, provider="B")], "RC",
                     id="of another provider: a contact of its own"),
        pytest.param([encounter(96 + 10 * MINUTES, provider="A"), encounter(95, provider="A")], "RC",
                     id="a contact before the window takes nothing with it"),
        pytest.param([encounter(96.5, name="call", context="x"), encounter(95.2, name="report", context="x")], "NRC",
                     id="our call before the window, and its report"),
    ],
)  # fmt: skip
def test_a_contact_starts_with_its_first_part_also_at_the_edge_of_the_window(
    encounters: list[Encounter], outcome: str
) -> None:
    """Distinct first, then 0 < s - start <= 345,600 s (rules.md, 4): another contact yesterday, and this one or not."""
    assert judge([traits()], NOW, [encounter(20), *encounters]).outcome == outcome


@pytest.mark.parametrize(("seconds", "outcome"), [(0, "NRC"), (1, "RC"), (345_600, "RC"), (345_601, "NRC")])
def test_window_is_exact_to_the_second(seconds: int, outcome: str) -> None:
    other = encounter(2)
    at_the_edge = replace(other, id="edge", started=NOW - timedelta(seconds=seconds))

    assert judge([traits()], NOW, [other, at_the_edge]).outcome == outcome


FIELDS = st.fixed_dictionaries(
    {
        "first_name": st.sampled_from(["", "Ada", "Beth"]),
        "last_name": st.sampled_from(["", "Fictional", "Other"]),
        "birth_date": st.sampled_from([None, date(1965, 2, 17), date(2001, 1, 1)]),
        "gender": st.sampled_from(["", "female", "male"]),
        "postcode": st.sampled_from(["", "ZZ99 3AA", "ZZ99 9ZZ"]),
        "nhs_number": st.sampled_from([NHS, OTHER_NHS, ""]),
        "nhs_verified": st.booleans(),
    }
)
PEOPLE = st.builds(lambda values: Patient(**values), FIELDS)


@given(PEOPLE, PEOPLE)
def test_whoever_may_be_the_same_patient_is_found_by_a_look_up(one: Patient, other: Patient) -> None:
    first, second = traits(one), traits(other)
    if tie(first, second) in (Tie.SAME, Tie.MAYBE):
        assert set(lookup_keys(KEYS, first)) & set(lookup_keys(KEYS, second))


@given(st.lists(st.tuples(st.integers(-10, 400_000), PEOPLE, st.sampled_from("AB"))), PEOPLE)
def test_order_of_arrival_changes_nothing_and_more_contacts_never_lower(
    rows: list[tuple[int, Patient, str]], caller: Patient
) -> None:
    encounters = [
        Encounter(str(n), NOW - timedelta(seconds=s), traits(who), provider, case=str(n))
        for n, (s, who, provider) in enumerate(rows)
    ]
    found = judge([traits(caller)], NOW, encounters)
    assert judge([traits(caller)], NOW, encounters[::-1]) == found
    order = ("NRC", "IIQ", "PRC", "RC")
    fewer = judge([traits(caller)], NOW, encounters[1:])
    assert order.index(fewer.outcome) <= order.index(found.outcome)
