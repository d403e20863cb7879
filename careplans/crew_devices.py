"""The approved devices of ambulance crews: the only addresses that a notice may go to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from careplans.errors import CrewDevicesError
from infra.numbers import read_number
from infra.yamlfile import YamlFileError, read_yaml

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_KEYS = {"organisation", "mobile", "approved_by"}


@dataclass(frozen=True, slots=True)
class CrewDevice:
    """One device: whose crews carry it, and its mobile number in E.164."""

    id: str
    organisation: str
    mobile: str = field(repr=False)


def read_crew_devices(path: Path) -> dict[str, CrewDevice]:
    """``devices: {id: {organisation, mobile, approved_by}}``; raises :class:`CrewDevicesError` with file and line."""
    try:
        file = read_yaml(path)
    except YamlFileError as error:
        raise CrewDevicesError(str(error)) from error
    data: Any = file.data
    listed = data.get("devices") if isinstance(data, dict) and set(data) == {"devices"} else None
    if not isinstance(listed, dict):
        raise CrewDevicesError(f"{path}: expected devices, each under its id")
    wrong = [
        f"{file.locate(('devices', str(key)))}: {text}" for key, each in listed.items() if (text := _wrong(key, each))
    ]
    if wrong:
        raise CrewDevicesError("\n".join(wrong))
    return {key: CrewDevice(key, each["organisation"], str(_mobile(each))) for key, each in listed.items()}


def _wrong(key: object, each: Any) -> str:
    if not isinstance(key, str) or not _ID.fullmatch(key):
        return "an id is of small letters, digits and -"
    if not isinstance(each, dict) or set(each) != _KEYS or not all(isinstance(value, str) for value in each.values()):
        return f"{key}: expected {', '.join(sorted(_KEYS))}, each a text"
    if not 0 < len(each["organisation"]) <= 64 or not each["approved_by"].strip():
        return f"{key}: say whose it is, and who approved it"
    return "" if _mobile(each) else f"{key}: not a mobile number"  # the number itself is not repeated


def _mobile(each: Mapping[str, str]) -> str | None:
    number = read_number(each["mobile"])
    return number.e164 if number.is_mobile else None
