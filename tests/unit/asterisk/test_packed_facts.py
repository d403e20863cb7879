"""The facts of an INVITE in one variable: whatever a carrier writes comes out as it was, or not at all."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from adapters.asterisk.facts import started_key
from adapters.asterisk.packed import NAMES, unpacked

VALUES = st.fixed_dictionaries({name: st.text(st.characters(codec="utf-8", exclude_characters="\0")) for name in NAMES})


def packed(values: dict[str, str]) -> str:
    """As the dialplan does it: LEN counts octets."""
    whole = b"".join(b"%d:%b" % (len(each), each) for each in (values[name].encode() for name in NAMES))
    return quote(whole, safe="")


@given(VALUES)
def test_every_value_comes_out_as_it_was(values: dict[str, str]) -> None:
    assert unpacked(packed(values)) == {name: value for name, value in values.items() if value}


@given(VALUES, st.integers(min_value=0, max_value=400))
def test_what_was_cut_off_is_absent_and_never_half_a_value(values: dict[str, str], kept: int) -> None:
    whole = unpacked(packed(values))
    assert unpacked(packed(values)[:kept]).items() <= whole.items()


def test_octets_that_are_no_text_do_not_hide_the_rest() -> None:
    found = unpacked("3%3A111" + "2%3Aid" + "1%3At" + "0%3A" + "1%3A%FF" + "0%3A" + "0%3A" + "0%3A")
    assert (found["DIALLED"], found["SIP_CALL_ID"], found["FROM_TAG"]) == ("111", "id", "t")


def test_callers_whose_call_ids_were_cut_off_are_different_calls() -> None:
    values = dict.fromkeys(NAMES, "") | {"DIALLED": "111", "SIP_CALL_ID": "x" * 4_000}
    found = unpacked(packed(values)[:4_000])
    assert "SIP_CALL_ID" not in found
    assert started_key(found | {"CALL_REF": "a"}) != started_key(found | {"CALL_REF": "b"})
    assert started_key(found | {"CALL_REF": "a"}) == started_key(found | {"CALL_REF": "a"})
