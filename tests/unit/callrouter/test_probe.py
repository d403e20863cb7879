"""Probes of the alert auditor at the door: known by their flow, sent to nobody, and safe for who dials their number."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from alerts.auditor import UNHEARD, Probes, probe_rule
from alerts.figures.items import PROBE_FLOW, PROBE_PROVIDER
from alerts.figures.usual import Usual
from alerts.model import Figures, Parts, ScopeFigures
from alerts.rules.readings import Seen
from callrouter.alerting.probe import AUDIT_SERVICE, PROBE, FlowsWithProbe, with_probe
from callrouter.dispatch.providers import Providers
from callrouter.errors import ConfigurationError
from callrouter.flows import load_flow
from infra.bus import Entry
from ivr.check import World, check
from tests.hand_clock import NOON
from tests.loaded_flows import LoadedFlows
from tests.service import LONDON, PROMPTS, PROVIDERS, a_provider

NUMBER = "+442079460999"


def test_the_flow_of_probes_passes_every_check_of_a_flow_that_callers_meet() -> None:
    world = World(prompts=frozenset(PROMPTS), services=PROVIDERS.services | {AUDIT_SERVICE})
    assert check(PROBE, world) == []


def test_only_the_reserved_number_meets_it() -> None:
    london = load_flow(LONDON)
    flows = FlowsWithProbe(LoadedFlows(london), london.flow, NUMBER)
    assert flows.for_dialled(NUMBER, "a") is PROBE
    assert flows.for_dialled("+442079460000", "a") is london
    assert flows.version(PROBE_FLOW, "of-an-older-release") is PROBE
    assert flows.version(london.flow, london.version) is london
    assert not flows.is_recalled(london.version)


def test_a_flow_of_callers_that_bears_the_probes_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="reserved for the alert auditor"):
        FlowsWithProbe(LoadedFlows(load_flow(LONDON)), PROBE_FLOW, NUMBER)


def test_the_reserved_provider_is_offered_to_probes_alone() -> None:
    reachable = with_probe(PROVIDERS)
    assert [each.id for each in reachable.of_service(AUDIT_SERVICE)] == [PROBE_PROVIDER]
    assert [each.services for each in reachable if each.id == PROBE_PROVIDER] == [(AUDIT_SERVICE,)]
    assert PROBE_PROVIDER not in [each.id for each in PROVIDERS]


@pytest.mark.parametrize(
    "taken", [a_provider(PROBE_PROVIDER, "111", tel=NUMBER), a_provider("other", AUDIT_SERVICE, tel=NUMBER)]
)
def test_a_providers_file_that_takes_the_reserved_names_is_refused(taken: object) -> None:
    with pytest.raises(ConfigurationError, match="reserved for the alert auditor"):
        with_probe(Providers((*PROVIDERS, taken)))  # type: ignore[arg-type]


def offered(at_s: float, flow: str = PROBE_FLOW) -> Entry:
    return Entry("call", 1, NOON + timedelta(seconds=at_s), "offered", {"flow": flow})


def test_silence_is_counted_from_the_last_probe_whatever_the_order_in_which_they_are_heard() -> None:
    probes = Probes(NOON - timedelta(hours=1))
    for entry in (offered(60), offered(0), offered(60), offered(90, "london-111")):
        probes.note(entry)
    assert probes.silent_s(NOON + timedelta(seconds=100)) == 40
    assert probes.silent_s(NOON) == 0


def test_a_process_that_has_just_begun_says_nothing_of_an_auditor_that_it_has_not_heard() -> None:
    probes = Probes(NOON)
    assert probes.silent_s(NOON + UNHEARD - timedelta(seconds=1)) is None
    assert probes.silent_s(NOON + UNHEARD) == UNHEARD.total_seconds()


def test_after_an_outage_of_our_own_the_auditor_is_not_blamed_and_one_that_is_dead_is_not_taken_for_alive() -> None:
    probes = Probes(NOON)
    probes.note(offered(-600))  # of the day's journal
    assert probes.silent_s(NOON + timedelta(seconds=100)) is None
    assert probes.silent_s(NOON + UNHEARD) == 600 + UNHEARD.total_seconds()
    probes.note(offered(140))
    assert probes.silent_s(NOON + UNHEARD) == 10


def test_the_probe_rule_reads_the_reserved_provider_and_nothing_else() -> None:
    rule = probe_rule("http://127.0.0.1:8119/notices", "http://127.0.0.1:8111")

    def seen(figures: Figures) -> Seen:
        return Seen(NOON, figures, Parts({}), lambda _window, _kind: (), Usual())

    total = ScopeFigures(scope="total", name="Whole service", longest_wait_s=900)
    waits = ScopeFigures(scope=PROBE_PROVIDER, name="Alert auditor", longest_wait_s=2)
    found = seen(Figures(NOON, total, (), waits)).read(rule, {})
    assert [(each.alert, each.value) for each in found] == [("auditor-probe", 2)]
    assert list(seen(Figures(NOON, total, ())).read(rule, {})) == []


def test_a_folder_of_settings_names_both_sides_or_neither(tmp_path: Path) -> None:
    from callrouter.settings import load_settings

    with pytest.raises(ConfigurationError, match="WEBHOOK_SECRET: must be set with AUDITOR_URL"):
        load_settings(data_dir=tmp_path, auditor_url="http://127.0.0.1:8119/notices")
    with pytest.raises(ConfigurationError, match="AUDITOR_SMTP_HOST"):
        load_settings(data_dir=tmp_path, auditor_email="duty.manager@example.nhs.invalid")
