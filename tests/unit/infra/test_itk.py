"""NHS 111 reports, read as case systems send them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.hl7_time import Hl7Time, read_day, read_time
from infra.itk import MOST_DEEP, MOST_OCTETS, ItkError, Organisation, normal_disposition, read_message

DATA = Path(__file__).parents[2] / "data" / "itk"
THREE = (DATA / "three_reports_out_of_order.xml").read_bytes()
BARE = (DATA / "bare_document.xml").read_bytes()
SHARED = Path(__file__).parents[4] / "shared" / "itk"


def test_documents_of_an_envelope_are_read_in_its_own_order() -> None:
    message = read_message(THREE)

    assert (message.tracking_id[-2:], message.sender, message.faults) == ("AA", "XX1", ())
    assert [report.encounter.case_reference for report in message.reports] == ["300", "100", "200"]
    starts = [report.started for report in message.reports]
    days = [datetime(2026, 6, day, 10, tzinfo=UTC) for day in (3, 1, 2)]
    assert starts == [Hl7Time(each) for each in days]


def test_report_says_whose_it_is_and_what_was_written() -> None:
    report = read_message(THREE).reports[0]
    patient = report.patient

    assert (patient.nhs_number, patient.nhs_verified, patient.nhs_number_is_right) == ("9990000018", False, True)
    assert (patient.given_names, patient.family_name, patient.gender) == (("Ada",), "Fictional", "female")
    assert (patient.birth_date, patient.postcode, patient.telephones) == (
        date(1965, 2, 17), "ZZ99 3AB", ("07700 900123",),
    )  # fmt: skip
    assert report.provider == Organisation("XX1", "Invented 111")
    assert (report.disposition.code, report.disposition.original) == ("Dx02", "DX2")
    assert report.sections[0].text == "Cough\nsince yesterday"
    assert report.special_patient_notes == ("Note:\nRings the bell twice",)
    assert (report.encounter.ids, report.version) == (("ENC-3",), 1)


def test_nhs_number_is_verified_only_where_the_sender_says_so() -> None:
    told = [(report.patient.nhs_number, report.patient.nhs_verified) for report in read_message(THREE).reports]

    assert told == [("9990000018", False), ("9990000018", True), ("", False)]


def test_bare_document_with_doubts() -> None:
    (report,) = read_message(BARE).reports

    assert report.encounter.start is None
    assert report.started == Hl7Time(datetime(2026, 6, 3, 10, 5, tzinfo=UTC), doubtful=True)  # London's summer time
    assert (report.patient.nhs_number, report.patient.nhs_number_is_right) == ("1234567890", False)
    assert (report.patient.birth_date, report.patient.gender, report.patient.postcode) == (None, "", "")
    assert (report.disposition.code, report.disposition.original) == ("", "1010")


def test_nothing_of_a_patient_is_printed_with_a_report() -> None:
    report = read_message(THREE).reports[0]

    for canary in ("Ada", "Fictional", "9990000018", "900123", "1965", "ZZ99", "Rings", "Cough"):
        assert canary not in repr(report)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260601100000+00", Hl7Time(datetime(2026, 6, 1, 10, tzinfo=UTC))),
        ("20260601100000+0000", Hl7Time(datetime(2026, 6, 1, 10, tzinfo=UTC))),
        ("20260601100000.123+0100", Hl7Time(datetime(2026, 6, 1, 9, tzinfo=UTC))),
        ("20260601100000-05", Hl7Time(datetime(2026, 6, 1, 15, tzinfo=UTC))),
        ("20260601100000Z", Hl7Time(datetime(2026, 6, 1, 10, tzinfo=UTC))),
        ("202606011000+00", Hl7Time(datetime(2026, 6, 1, 10, tzinfo=UTC))),
        ("20260601100000", Hl7Time(datetime(2026, 6, 1, 9, tzinfo=UTC), doubtful=True)),
        ("20260101100000", Hl7Time(datetime(2026, 1, 1, 10, tzinfo=UTC), doubtful=True)),
        ("20261025013000", Hl7Time(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), doubtful=True)),
        ("20260601+00", Hl7Time(datetime(2026, 6, 1, tzinfo=UTC), doubtful=True)),
        ("2026060110+00", Hl7Time(datetime(2026, 6, 1, 10, tzinfo=UTC), doubtful=True)),
        ("20260230100000+00", None),
        ("20260601250000+00", None),
        ("2026", None),
        ("", None),
        ("00010101000000+23", None),
    ],
)
def test_times(text: str, expected: Hl7Time | None) -> None:
    assert read_time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("19650217", date(1965, 2, 17)), ("196502170330+00", date(1965, 2, 17)), ("1965", None)]
)
def test_days(text: str, expected: date | None) -> None:
    assert read_day(text) == expected


@pytest.mark.parametrize(
    ("written", "code"),
    [("DX02", "Dx02"), ("Dx2", "Dx02"), ("dx 02", "Dx02"), ("DispoCodeDx87", "Dx87"), ("Dx011", "Dx011"),
     ("Dx11", "Dx11"), ("1010", ""), ("", "")],
)  # fmt: skip
def test_disposition_codes_come_in_one_spelling(written: str, code: str) -> None:
    assert normal_disposition(written) == code


BOMB = b"""<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><ClinicalDocument>&c;</ClinicalDocument>"""
REACHES_OUT = b"""<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><ClinicalDocument>&b;</ClinicalDocument>"""


@pytest.mark.parametrize(
    ("octets", "cause"),
    [
        pytest.param(BOMB, "refused: DTDForbidden", id="bomb"),
        pytest.param(REACHES_OUT, "refused: DTDForbidden", id="external entity"),
        pytest.param(b"<a>" * (MOST_DEEP + 1), "nested more than", id="deep"),
        pytest.param(b" " * (MOST_OCTETS + 1), "larger than", id="large"),
        pytest.param(b"", "not XML", id="empty"),
        pytest.param(THREE[: len(THREE) // 2], "not XML: line", id="half written"),
        pytest.param(b"<?xml version='1.0' encoding='martian'?><a/>", "not XML", id="unknown encoding"),
        pytest.param(b"\xff\xfe\x00", "not XML", id="no text"),
        pytest.param(b"<html/>", "no ClinicalDocument", id="something else"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_cause(octets: bytes, cause: str) -> None:
    with pytest.raises(ItkError, match=cause):
        read_message(octets)


def test_one_document_that_lacks_its_patient_takes_no_other_with_it() -> None:
    message = read_message(
        THREE.replace(b"<recordTarget>", b"<noTarget>", 1).replace(b"</recordTarget>", b"</noTarget>", 1)
    )

    assert [report.encounter.case_reference for report in message.reports] == ["100", "200"]
    assert [(fault.place, fault.reason) for fault in message.faults] == [(1, "no patient")]


def test_payload_that_is_not_in_clear_is_told() -> None:
    message = read_message(THREE.replace(b"<payloads count", b"<payload>QUJD</payload><payloads count", 1))

    assert len(message.reports) == 3
    assert message.faults[0].reason == "payload without a ClinicalDocument in clear"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_message_with_a_byte_order_mark(encoding: str) -> None:
    assert len(read_message(THREE.decode().encode(encoding)).reports) == 3


@given(st.binary(max_size=200), st.integers(0, len(THREE)), st.integers(0, 60))
def test_damaged_message_is_read_or_refused(piece: bytes, place: int, gone: int) -> None:
    with suppress(ItkError):  # and nothing else
        read_message(THREE[:place] + piece + THREE[place + gone :])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published examples of four systems are not beside the project")
def test_published_example_of_a_repeat_caller() -> None:
    message = read_message((SHARED / "repeat-caller.xml").read_bytes())

    starts = [report.started.at.strftime("%d %H:%M:%S") for report in message.reports if report.started]
    assert starts == ["30 18:28:13", "29 13:13:33", "29 13:37:02", "29 13:50:42", "30 09:42:40", "30 16:26:30"]
    assert [each.disposition.code for each in message.reports] == ["Dx02", "Dx02", "Dx92", "Dx92", "Dx05", "Dx06"]
    assert {each.patient.nhs_number for each in message.reports} == {"9990238359"}
    assert [each.patient.nhs_verified for each in message.reports] == [False, True, True, False, True, True]
    assert all(each.special_patient_notes for each in message.reports)
    assert any(each.document_time and each.document_time.at.year == 2025 for each in message.reports)
    assert not any(each.started and each.started.doubtful for each in message.reports)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published examples of four systems are not beside the project")
@pytest.mark.parametrize(
    ("file", "provider", "code"),
    [("adastra-itk-ooh-referral-dx06", "RYE", "Dx06"), ("cleric-itk-ooh-referral-dx09", "RX7", "Dx09"),
     ("conformance-example-adastra-ooh", "RYE", "Dx87"), ("ic24-itk-ooh-referral-dx06", "NTN08", "Dx06")],
)  # fmt: skip
def test_published_examples_of_other_systems(file: str, provider: str, code: str) -> None:
    (report,) = read_message((SHARED / f"{file}.xml").read_bytes()).reports

    assert (report.provider.ods, report.disposition.code) == (provider, code)
    assert report.started is not None
    assert not report.started.doubtful
    assert report.patient.birth_date is not None
