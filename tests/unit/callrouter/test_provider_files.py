"""Provider files: who is read, and how a mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.dispatch.providers import Providers, read_providers
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings

GOOD = """providers:
  - id: north
    name: North London
    services: ["111"]
    tel: "+442079460101"
  - id: dentist
    name: Dentists
    services: [dental]
    tel: "+442079460102"
    sip: sip.example.org:5060
    lines: 2
    answers: agent
"""


def read(folder: Path, text: str) -> Providers:
    path = folder / "providers.yaml"
    path.write_text(text)
    return read_providers(path)


def test_providers_are_found_by_id_and_by_service(tmp_path: Path) -> None:
    providers = read(tmp_path, GOOD)

    assert [each.id for each in providers] == ["north", "dentist"]
    assert providers["dentist"].lines == 2
    assert [each.name for each in providers.of_service("111")] == ["North London"]
    assert providers.of_service("optician") == []
    assert providers.services == {"111", "dental"}


def test_picked_up_call_is_only_a_persons_where_that_is_said(tmp_path: Path) -> None:
    providers = read(tmp_path, GOOD)

    assert (providers["north"].answers, providers["dentist"].answers) == ("switch", "agent")


@pytest.mark.parametrize(
    ("wrong", "right", "line"),
    [
        pytest.param("id: dentist", "id: North!", 6, id="an id with other characters"),
        pytest.param("id: dentist", "id: north", 6, id="an id given twice"),
        pytest.param('tel: "+442079460102"', 'tel: "020 7946 0102"', 9, id="a number that is not E.164"),
        pytest.param("sip.example.org:5060", "sip.example.org", 10, id="a host without its port"),
        pytest.param("lines: 2", "lines: 0", 11, id="no lines at all"),
        pytest.param("answers: agent", "answers: robot", 12, id="an answer that we do not know"),
        pytest.param("services: [dental]", "services: []", 8, id="nothing offered"),
        pytest.param("lines: 2", "line: 2", 11, id="a slip of the pen"),
    ],
)
def test_mistake_is_named_with_file_and_line(tmp_path: Path, wrong: str, right: str, line: int) -> None:
    with pytest.raises(ConfigurationError, match=rf"providers\.yaml:{line}: "):
        read(tmp_path, GOOD.replace(wrong, right))


def test_file_without_providers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"providers\.yaml:1"):
        read(tmp_path, "providers: []\n")


def test_file_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"providers\.yaml:"):
        read(tmp_path, "providers: [")


def test_providers_that_ship_offer_the_default_service() -> None:
    assert "111" in read_providers(Settings.model_fields["providers_file"].default).services
