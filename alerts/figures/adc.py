"""Figures in the published shape of the IUC aggregate data collection: one row for each contract and item."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TextIO

from alerts.figures.items import PUBLISHED, Kpis

COLUMNS = (
    "REPORTING_PERIOD", "ORG_CODE", "ORG_NAME", "CONTRACT_CODE", "CONTRACT_NAME", "ITEM_NUMBER", "VALUE", "REGION_CODE",
    "REGION_NAME",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ContractCodes:
    """Under what names the collection knows a provider's contract."""

    org_code: str
    org_name: str
    contract_code: str
    contract_name: str
    region_code: str
    region_name: str


def write_adc(to: TextIO, period: str, contracts: Mapping[str, ContractCodes], figures: Iterable[Kpis]) -> list[str]:
    """Write the rows of providers' ``figures`` of the ``period`` (``2026-10``); returns providers without a contract.

    An item that is not collected has a row without a value, never a nought. Values are whole numbers, as published; in
    place of one that is held back (:func:`alerts.figures.small_numbers.held_back`) stands its text.
    """
    rows = csv.writer(to, lineterminator="\n")
    rows.writerow(COLUMNS)
    left_out = []
    for kpis in figures:
        codes = contracts.get(kpis.scope.id)
        if codes is None:
            left_out.append(kpis.scope.id)
            continue
        before = (period, codes.org_code, codes.org_name, codes.contract_code, codes.contract_name)
        for code in PUBLISHED:
            value = kpis.of(code)
            shown = "" if value is None else str(round(value))
            if kpis.held is not None:
                shown = kpis.held.get(code, shown)
            rows.writerow((*before, code, shown, codes.region_code, codes.region_name))
    return left_out
