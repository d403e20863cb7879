"""An address of a database is judged the same with and without what connects to one."""

from __future__ import annotations

import pytest

from infra.sql_address import check_address, read_address

FIT = [
    "sqlite:///calls.db",
    "sqlite:////var/lib/a b/calls.db",
    "sqlite:///c.db?mode=ro",
    "postgresql+asyncpg://u:p@h/d",
]
UNFIT = ["", "calls.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///?x=1", "mysql://u:zzsecret@h/d"]


@pytest.mark.parametrize("url", FIT)
def test_an_address_that_can_be_used_passes(url: str) -> None:
    check_address(url)
    read_address(url)


@pytest.mark.parametrize("url", UNFIT)
def test_every_other_address_is_refused_without_its_password(url: str) -> None:
    for judge in (check_address, read_address):
        with pytest.raises(ValueError, match="expected sqlite:///file or postgresql://") as refused:
            judge(url)
        assert "zzsecret" not in str(refused.value)
