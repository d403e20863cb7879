"""The rule file: what a sound one gives, and how a defective one says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.errors import RulesError
from alerts.model import Recipient
from alerts.rules import DEFAULT_RULES, load_rules

SOUND = """\
link: https://wallboard.example.nhs.invalid/
alerts:
  - name: longest-wait
    title: Callers wait too long
    metric: longest_wait_s
    provider: kings
    threshold: 180
    clear_below: 120
    for_s: 30
    severity: warning
    usually_helps: More handlers.
    source: proposal
    who:
      - name: Duty manager
        email: duty.manager@example.nhs.invalid
        webhook: http://localhost:9111/notices
"""


def rule_file(folder: Path, text: str) -> Path:
    path = folder / "alerts.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sound_file_gives_its_rules(tmp_path: Path) -> None:
    (rule,) = load_rules(rule_file(tmp_path, SOUND), {"kings"})
    assert (rule.name, rule.provider, rule.threshold, rule.clear) == ("longest-wait", "kings", 180, 120)
    assert rule.link == "https://wallboard.example.nhs.invalid/"
    assert rule.who == (
        Recipient("Duty manager", "email", "duty.manager@example.nhs.invalid"),
        Recipient("Duty manager", "webhook", "http://localhost:9111/notices"),
    )


def test_staff_with_an_order_of_channels_are_tried_by_each_in_turn(tmp_path: Path) -> None:
    own = "        mobile: '+447700900123'\n        channels: [voice, text, email]\n"
    (rule,) = load_rules(rule_file(tmp_path, SOUND + own), {"kings"})
    (duty,) = rule.who
    assert [(each.channel, each.address) for each in duty.ways] == [
        ("voice", "+447700900123"),
        ("text", "+447700900123"),
        ("email", "duty.manager@example.nhs.invalid"),
    ]


def test_the_shipped_rules_are_sound_and_their_staff_fictional() -> None:
    rules = load_rules(DEFAULT_RULES, ())
    addresses = [each.address for rule in rules for each in rule.who]
    assert all("example.nhs.invalid" in each or "//localhost" in each for each in addresses)


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        ("threshold: 180", "threshold: 120", ":7: threshold: must be above clear_below"),
        ("threshold: 180", "threshold: soon", ":7: threshold: input should be a valid number"),
        ("threshold: 180", "threshold: .nan", ":7: threshold: input should be"),
        ("for_s: 30", "for_s: 3601", ":9: for_s: input should be less than or equal to 3600"),
        ("for_s: 30", "for_secs: 30", ":9: for_secs: is not a key that a rule file has"),
        ("    source: proposal\n", "", ":3: source: is missing"),
        ("severity: warning", "severity: panic", ":10: severity: input should be 'notice'"),
        ("metric: longest_wait_s", "metric: mood", ":5: metric: input should be 'longest_wait_s'"),
        ("provider: kings", "provider: queens", ":6: provider: no provider has the id queens"),
        ("email: duty.manager@", "email: duty.manager at ", ":15: who.email: is not an e-mail address"),
        ("webhook: http://", "webhook: ", ":16: who.webhook: is not an http or https address"),
        ("    who:", "    who: []\n    sho:", ":13: who: needs at least one"),
        (
            "        email: duty.manager@",
            "        mobile: 07700900123\n        email: a@",
            ":15: who.mobile: is not a telephone",
        ),
        (
            "        email: duty.manager@",
            "        channels: [text]\n        email: a@",
            ":15: who.channels: text needs a mobile",
        ),
        (
            "        email: duty.manager@",
            "        channels: [email, email]\n        email: a@",
            ":15: who.channels: names a channel twice",
        ),
        (
            "        email: duty.manager@",
            "        channels: [alertmanager]\n        email: a@",
            ":15: who.channels: alertmanager is set",
        ),
        ("name: longest-wait", "name: Longest Wait", ":3: name: must be a name of a to z"),
        ("title: Callers wait", 'title: "Callers\\nwait"', ":4:"),
        ("link: https", "link: ftp", ":1: link: is not an http or https address"),
        ("    for_s: 30\n", "    for_s: 30\n    for_s: 60\n", ":10: for_s is given twice"),
    ],
)
def test_a_defect_is_told_with_file_line_and_cause(tmp_path: Path, line: str, instead: str, told: str) -> None:
    assert line in SOUND
    path = rule_file(tmp_path, SOUND.replace(line, instead))
    with pytest.raises(RulesError) as refused:
        load_rules(path, {"kings"})
    assert f"alerts.yaml{told}" in str(refused.value)


def test_every_defect_is_told_at_once(tmp_path: Path) -> None:
    text = SOUND.replace("threshold: 180", "threshold: 1").replace("severity: warning", "severity: panic")
    with pytest.raises(RulesError) as refused:
        load_rules(rule_file(tmp_path, text), {"kings"})
    assert [each.split(":")[1] for each in str(refused.value).splitlines()] == ["7", "10"]


def test_staff_without_any_way_to_be_told_are_refused(tmp_path: Path) -> None:
    text = SOUND[: SOUND.index("        email")]
    with pytest.raises(RulesError, match=r"alerts\.yaml:14: who: needs an email, a webhook or a mobile"):
        load_rules(rule_file(tmp_path, text), {"kings"})


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    again = SOUND[SOUND.index("  - name") :]
    with pytest.raises(RulesError, match=r"alerts\.yaml:17: name: longest-wait is the name of two rules"):
        load_rules(rule_file(tmp_path, SOUND + again), {"kings"})


@pytest.mark.parametrize("text", ["", "alerts: [", "- just a list", "link: http://x/\nalerts: []"])
def test_a_file_without_rules_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RulesError, match=r"alerts\.yaml"):
        load_rules(rule_file(tmp_path, text), ())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"alerts\.yaml"):
        load_rules(tmp_path / "alerts.yaml", ())
