"""Keys and sealed values: what opens, what does not, and what never shows."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.crypto import KeyRing, SealError
from infra.keys import EnvironmentKeys, KeyFile, new_pair

RING = KeyRing(b"m" * 32, b"i" * 32)
OTHER = KeyRing(b"o" * 32, b"j" * 32)
WHAT = b"state:call"


@given(st.binary(max_size=500), st.binary(max_size=40))
def test_sealed_value_opens_again_and_does_not_show(plain: bytes, context: bytes) -> None:
    key = RING.new_data_key()
    sealed = key.seal(plain, context)

    assert key.open(sealed, context) == plain
    assert RING.unwrap(key.wrapped).open(sealed, context) == plain
    assert len(plain) < 8 or plain not in sealed


@given(st.binary(min_size=1, max_size=60), st.data())
def test_no_octet_can_be_changed_unnoticed(plain: bytes, data: st.DataObject) -> None:
    key = RING.new_data_key()
    sealed = bytearray(key.seal(plain, WHAT))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SealError):
        key.open(bytes(sealed), WHAT)


@pytest.mark.parametrize("cut", [0, 1, 11, 12, 13, 20])
def test_value_that_was_cut_short_does_not_open(cut: int) -> None:
    key = RING.new_data_key()

    with pytest.raises(SealError):
        key.open(key.seal(b"words", WHAT)[:cut], WHAT)


def test_value_of_one_call_does_not_open_as_anothers() -> None:
    key = RING.new_data_key()

    with pytest.raises(SealError):
        key.open(key.seal(b"words", b"state:one"), b"state:two")


def test_key_of_another_record_or_house_does_not_open() -> None:
    key = RING.new_data_key()
    with pytest.raises(SealError):
        RING.new_data_key().open(key.seal(b"words", WHAT), WHAT)
    with pytest.raises(SealError):
        OTHER.unwrap(key.wrapped)


@pytest.mark.parametrize("wrapped", [b"", b"short", b"\x00" * 60, b"\x00" * 64])
def test_wrapped_key_that_is_none_does_not_unwrap(wrapped: bytes) -> None:
    with pytest.raises(SealError):
        RING.unwrap(wrapped)


def test_same_value_never_looks_the_same_twice() -> None:
    key = RING.new_data_key()

    assert key.seal(b"words", WHAT) != key.seal(b"words", WHAT)
    assert RING.new_data_key().wrapped != RING.new_data_key().wrapped


def test_look_up_hash_is_stable_and_apart_for_each_domain_and_house() -> None:
    hashes = {
        RING.index("encounter-number", "+447700900123"),
        RING.index("plan-number", "+447700900123"),
        RING.index("encounter-number", "+447700900124"),
        OTHER.index("encounter-number", "+447700900123"),
    }
    assert len(hashes) == 4
    assert RING.index("a", "b") == RING.index("a", "b")
    assert all(len(each) == 64 for each in hashes)


def test_keys_are_in_no_repr() -> None:
    key = RING.new_data_key()

    assert "AESGCM" not in repr(key)
    assert "mmm" not in repr(RING)


@pytest.mark.parametrize(("master", "index"), [(b"", b""), (b"m" * 31, b"i" * 32), (b"m" * 32, b"i" * 16)])
def test_key_of_another_length_is_refused(master: bytes, index: bytes) -> None:
    with pytest.raises(ValueError, match="32 octets"):
        KeyRing(master, index)


def test_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "keys"
    first, again = KeyFile(path, create=True).read(), KeyFile(path).read()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = first.new_data_key()
    assert again.unwrap(key.wrapped).open(key.seal(b"words", WHAT), WHAT) == b"words"


def test_keys_are_read_from_base64_with_white_space_around() -> None:
    raw = os.urandom(64)
    ring = KeyRing.from_base64(f"\n {base64.b64encode(raw).decode()} \n")

    assert ring.index("a", "b") == KeyRing(raw[:32], raw[32:]).index("a", "b")


@pytest.mark.parametrize(
    "text", ["", "not base64!", base64.b64encode(b"k" * 40).decode(), base64.b64encode(b"k" * 90).decode()]
)
def test_text_that_holds_no_two_keys_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        KeyRing.from_base64(text)


class TestKeysThatChange:
    """A ring of two pairs: the first seals and writes, both open and are asked."""

    old = KeyRing(b"m" * 32, b"i" * 32)
    both = KeyRing(b"n" * 32, b"j" * 32, [(b"m" * 32, b"i" * 32)])
    new = KeyRing(b"n" * 32, b"j" * 32)

    def test_what_the_older_key_wrapped_still_opens(self) -> None:
        key = self.old.new_data_key()
        assert self.both.unwrap(key.wrapped).open(key.seal(b"words", WHAT), WHAT) == b"words"
        assert self.both.master_named(key.wrapped) == self.old.masters[0] == self.both.masters[1]

    def test_the_newest_wraps(self) -> None:
        key = self.both.new_data_key()
        assert self.new.unwrap(key.wrapped).open(key.seal(b"words", WHAT), WHAT) == b"words"
        with pytest.raises(SealError):
            self.old.unwrap(key.wrapped)

    def test_a_key_wrapped_anew_opens_what_it_sealed_before_without_the_older_one(self) -> None:
        key = self.old.new_data_key()
        sealed = key.seal(b"words", WHAT)
        with pytest.raises(SealError):
            self.new.unwrap(key.wrapped)
        assert self.new.unwrap(self.both.rewrap(key.wrapped)).open(sealed, WHAT) == b"words"

    def test_a_key_that_was_wrapped_before_keys_had_ids_opens(self) -> None:
        key = self.old.new_data_key()
        wrapped = key.wrapped[4:]
        assert len(wrapped) == 60
        assert self.both.unwrap(wrapped).open(key.seal(b"words", WHAT), WHAT) == b"words"
        assert self.both.master_named(wrapped) is None

    def test_a_look_up_asks_with_every_key_and_writes_with_the_newest(self) -> None:
        assert self.both.index_all("a", "b") == (self.new.index("a", "b"), self.old.index("a", "b"))
        assert self.both.index("a", "b") == self.new.index("a", "b")

    def test_one_key_may_stay_while_the_other_changes(self) -> None:
        ring = KeyRing(b"n" * 32, b"i" * 32, [(b"m" * 32, b"i" * 32)])
        assert (len(ring.masters), len(ring.index_keys)) == (2, 1)

    def test_ids_say_nothing_of_keys(self) -> None:
        assert all(len(each) == 8 for each in (*self.both.masters, *self.both.index_keys))
        assert b"mmmm".hex() not in self.both.masters


def test_environment_and_file_give_the_same_ring(tmp_path: Path) -> None:
    text = f"{new_pair()}\n{new_pair()}\n"
    (tmp_path / "keys").write_text(text)
    one, other = EnvironmentKeys(text.replace("\n", " ")).read(), KeyFile(tmp_path / "keys").read()
    assert (one.masters, one.index_keys) == (other.masters, other.index_keys)
    assert len(one.masters) == 2


def test_a_provider_that_has_no_keys_says_so_and_repeats_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="base64 of 64 octets"):
        EnvironmentKeys("c2VjcmV0").read()
    with pytest.raises(ValueError, match="cannot be read"):
        KeyFile(tmp_path / "keys").read()
    assert "c2Vj" not in repr(EnvironmentKeys("c2VjcmV0"))
