"""The rule file: what a sound one gives, and how a defective one says where."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.errors import RulesError
from alerts.model import TOLD_METRICS, Recipient, Rule
from alerts.rules.loading import DEFAULT_RULES, load_rules

NIGHT = datetime(2026, 3, 24, 23, tzinfo=UTC)

SOUND = """\
link: https://wallboard.example.nhs.invalid/
alerts:
  - name: longest-wait
    title: Callers wait too long
    metric: longest_wait_s
    scope: provider:kings
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
    assert (rule.name, rule.scope, rule.threshold, rule.clear) == ("longest-wait", "provider:kings", 180, 120)
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


@pytest.mark.parametrize("rule", [each for each in load_rules(DEFAULT_RULES, ()) if each.severity == "critical"])
def test_what_is_critical_goes_to_a_rota_then_to_somebody_else_and_is_repeated(rule: Rule) -> None:
    assert rule.rotas
    assert {each.name for each in rule.escalate[-1].who}.isdisjoint(each.name for each in rule.steps[0].told(NIGHT))
    assert rule.repeat_s or rule.metric in TOLD_METRICS


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        ("threshold: 180", "threshold: 120", ":7: threshold: must be above clear_below"),
        ("threshold: 180", "threshold: soon", ":7: threshold: must be a number"),
        ("threshold: 180", "threshold: .nan", ":7: threshold: must be a number that ends"),
        ("for_s: 30", "for_s: 3601", ":9: for_s: must be at most 3600"),
        ("for_s: 30", "for_secs: 30", ":9: for_secs: is not a key that a rule file has"),
        ("    source: proposal\n", "", ":3: source: is missing"),
        ("severity: warning", "severity: panic", ":10: severity: must be 'notice'"),
        ("metric: longest_wait_s", "metric: mood", ":5: metric: must be 'longest_wait_s'"),
        ("provider:kings", "provider:queens", ":6: scope: no provider has the id queens"),
        ("provider:kings", "city:london", ":6: scope: a scope is total, provider:ID"),
        ("provider:kings", "service:gp", ":6: scope: longest_wait_s is known of the whole service and of providers"),
        ("clear_below: 120", "clear_above: 240", ":7: threshold: needs clear_below, and no clear_above"),
        (
            "clear_below: 120",
            "clear_below: 120\n    worse: below",
            ":7: threshold: needs clear_above, and no clear_below",
        ),
        ("    threshold: 180\n", "", ":3: threshold: is missing"),
        ("for_s: 30", "for_s: 30\n    hours: sometimes", ":10: hours: must be always, office, or"),
        ("for_s: 30", "for_s: 30\n    hours: []", ":10: hours: is never: leave it out"),
        (
            "for_s: 30",
            "for_s: 30\n    hours: [{days: [noday], from: '08:00', to: '18:00'}]",
            ":10: hours.days: must be",
        ),
        ("for_s: 30", "for_s: 30\n    hours: [{from: '8', to: '18:00'}]", ":10: hours.from: is not a time of day"),
        ("for_s: 30", "for_s: 30\n    window: 15", ":10: window: goes with abandoned_share"),
        ("for_s: 30", "for_s: 30\n    compared_with: usual", ":10: compared_with: goes with abandoned_share"),
        (
            "for_s: 30",
            "for_s: 30\n    any_of: [{rule: longest-wait}]",
            ":5: metric: a composite rule, and no other, has",
        ),
        ("for_s: 30", "for_s: 30\n    inhibited_by: [longest-wait]", ":10: inhibited_by: a rule cannot name itself"),
        (
            "for_s: 30",
            "for_s: 30\n    inhibited_by: [gone]",
            ":10: inhibited_by: there is no rule gone that could fire",
        ),
        ("for_s: 30", "for_s: 30\n    repeat_s: 5", ":10: repeat_s: must be 0 or at least 30"),
        ("for_s: 30", "for_s: 30\n    escalate: [{after_s: 300}]", ":10: escalate.who: needs at least one"),
        ("for_s: 30", "for_s: 30\n    on_duty: [nobody]", ":10: on_duty: there is no rota nobody"),
        ("email: duty.manager@", "email: duty.manager at ", ":15: who.email: is not an e-mail address"),
        ("webhook: http://", "webhook: ", ":16: who.webhook: is not an http or https address"),
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
    assert sorted(each.split(":")[1] for each in str(refused.value).splitlines()) == ["10", "7"]


def test_staff_without_any_way_to_be_told_are_refused(tmp_path: Path) -> None:
    text = SOUND[: SOUND.index("        email")]
    with pytest.raises(
        RulesError, match=r"alerts\.yaml:14: who: needs an email, a webhook or a mobile, or is the name"
    ):
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


LADDER = """\
link: https://calls.example.nhs.invalid/
staff:
  - {name: Sam, mobile: "+447700900123", channels: [voice, text]}
  - {name: Alex, email: alex@example.nhs.invalid}
  - {name: Kim, email: kim@example.nhs.invalid}
rotas:
  duty:
    shifts:
      - {from: "08:00", to: "20:00", who: [{name: Sam}]}
      - {from: "20:00", to: "08:00", who: [{name: Alex}]}
    stand_ins:
      - {from: 2026-12-24T20:00, until: 2026-12-25T20:00, who: [{name: Kim}]}
alerts:
  - name: stop-messages
    title: A service does much worse than usual
    metric: composite
    any_of: [{rule: slow-25}, {rule: slow-15, at_least: 2}]
    for_s: 0
    severity: critical
    usually_helps: Decide together whether to switch the message off.
    source: a test
    on_duty: [duty]
  - name: slow-25
    title: Slower than usual
    metric: centile95_s
    scope: each service
    window: 60
    compared_with: usual
    threshold: 25
    clear_below: 15
    for_s: 300
    hours: office
    severity: warning
    usually_helps: Look.
    source: a test
    who: [{name: Alex}]
    escalate:
      - {after_s: 300, on_duty: [duty]}
    repeat_s: 1800
    group: slow
    group_wait_s: 10
  - name: slow-15
    title: Slower than usual
    metric: centile95_s
    scope: each service
    window: 60
    compared_with: usual
    threshold: 15
    clear_below: 10
    for_s: 300
    severity: notice
    usually_helps: Look.
    source: a test
    who: [{name: Alex}]
    inhibited_by: [slow-25]
"""


def test_rules_on_other_rules_come_after_them_and_staff_and_rotas_are_found_by_name(tmp_path: Path) -> None:
    rules = load_rules(rule_file(tmp_path, LADDER), ())
    assert [each.name for each in rules] == ["slow-25", "slow-15", "stop-messages"]
    slow, _, stop = rules
    assert slow.who == (Recipient("Alex", "email", "alex@example.nhs.invalid"),)
    assert (slow.window, slow.than_usual, slow.steps[1].after_s, slow.group) == (60, True, 300, "slow")
    assert [(each.rule, each.at_least) for each in stop.any_of] == [("slow-25", 1), ("slow-15", 2)]


@pytest.mark.parametrize(
    ("situation", "at", "names"),
    [
        ("day", "2026-06-01T12:00:00+01:00", ["Sam"]),
        ("night", "2026-06-01T23:00:00+01:00", ["Alex"]),
        ("the last second of the night", "2026-06-01T07:59:59+01:00", ["Alex"]),
        ("summer, by the clocks of London", "2026-06-01T07:00:00+00:00", ["Sam"]),
        ("winter, the same instant of the day", "2026-12-01T07:00:00+00:00", ["Alex"]),
        ("the hour that comes twice, first", "2026-10-25T00:30:00+00:00", ["Alex"]),
        ("the hour that comes twice, again", "2026-10-25T01:30:00+00:00", ["Alex"]),
        ("the morning after the clocks went back", "2026-10-25T08:00:00+00:00", ["Sam"]),
        ("the morning after they went forward", "2026-03-29T07:00:00+00:00", ["Sam"]),
        ("a stand-in", "2026-12-25T12:00:00+00:00", ["Kim"]),
        ("after the stand-in", "2026-12-25T20:00:00+00:00", ["Alex"]),
    ],
)
def test_who_is_on_duty(tmp_path: Path, situation: str, at: str, names: list[str]) -> None:
    *_, stop = load_rules(rule_file(tmp_path, LADDER), ())
    told = stop.steps[0].told(datetime.fromisoformat(at))
    assert [each.name for each in told] == names, situation


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        (
            'from: "20:00", to: "08:00"',
            'from: "21:00", to: "08:00"',
            ":7: rotas.duty: nobody is on duty on monday at 20:00",
        ),
        ('from: "20:00", to: "08:00"', 'days: [monday], from: "20:00", to: "08:00"', "on duty on monday at 00:00"),
        ("who: [{name: Sam}]", "who: [{name: Pat}]", ":9: rotas.duty.shifts.who: needs an email"),
        ("until: 2026-12-25T20:00", "until: 2026-12-24T20:00", ":12: rotas.duty.stand_ins.until: must be after from"),
        ("{rule: slow-25}", "{rule: stop-messages}", ":17: any_of: a rule cannot name itself"),
        ("    who: [{name: Alex}]\n    escalate", "    escalate", ":23: who: needs at least one, or a rota"),
        ("    group: slow\n", "    group: slow\n    inhibited_by: [slow-15]\n", "inhibited_by: goes round in a circle"),
        ("    for_s: 0\n", "    for_s: 0\n    threshold: 1\n", "threshold: a composite rule has none"),
    ],
)
def test_a_contradiction_is_told_with_its_line(tmp_path: Path, line: str, instead: str, told: str) -> None:
    assert line in LADDER
    with pytest.raises(RulesError) as refused:
        load_rules(rule_file(tmp_path, LADDER.replace(line, instead, 1)), ())
    assert told in str(refused.value)


def test_composites_that_go_round_in_a_circle_are_refused(tmp_path: Path) -> None:
    again = LADDER[LADDER.index("  - name: stop-messages") : LADDER.index("  - name: slow-25")]
    circle = again.replace("stop-messages", "other").replace("slow-25", "stop-messages")
    text = LADDER.replace("{rule: slow-25}", "{rule: other}") + circle
    with pytest.raises(RulesError, match="goes round in a circle by way of other"):
        load_rules(rule_file(tmp_path, text), ())
