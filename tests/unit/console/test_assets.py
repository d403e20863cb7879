"""The fetched static files: pinned, matching the templates, and with no other host in them."""

from __future__ import annotations

import json
import re
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

from infra.assets.fetch import FetchError, localise

ASSETS = Path(__file__).parents[3] / "infra" / "assets"


def test_outside_fonts_are_removed_and_images_become_relative() -> None:
    css, images = localise(
        "@font-face{font-family:Frutiger W01;src:url(https://assets.nhs.uk/fonts/f.woff2)}"
        "a{background:url(/assets/images/nhsuk-icon-cross.svg)}/*# sourceMappingURL=x.css.map */"
    )
    assert css == "a{background:url(images/nhsuk-icon-cross.svg)}"
    assert images == ("nhsuk-icon-cross.svg",)


@pytest.mark.parametrize(
    "rule", ["a{background:url(https://x.example/a.png)}", "@import '//x.example/a.css';", 'a{src:url("//x")}']
)
def test_any_other_host_stops_the_set_up(rule: str) -> None:
    with pytest.raises(FetchError):
        localise(rule)


def test_lock_names_checksums_and_no_host() -> None:
    lock = (ASSETS / "package-lock.json").read_text()
    assert "http" not in lock
    packages = json.loads(lock)["packages"]
    assert all(each.get("integrity") for name, each in packages.items() if name)


def test_style_sheet_is_the_one_that_the_templates_are_made_for() -> None:
    about = str(metadata("nhsuk-frontend-jinja").get_payload())  # type: ignore[attr-defined]
    table = dict(re.findall(r"^\| ([\d.]+) \| ([\d.]+) \|$", about, re.M))
    pinned = json.loads((ASSETS / "package.json").read_text())["dependencies"]["nhsuk-frontend"]
    assert table[pinned] == version("nhsuk-frontend-jinja")
