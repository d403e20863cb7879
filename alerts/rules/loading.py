"""Alert rules as data: a YAML file that is checked in full before any of it is used."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from alerts.errors import RulesError
from alerts.figures.items import Scope
from alerts.model import OWN_METRICS, TOLD_METRICS, TOTAL, WINDOW_METRICS, Escalation, Rule
from alerts.rules.defects import told_all, told_at
from alerts.rules.rotas import DAYS, Rota
from alerts.rules.shape import EACH, EscalationData, People, RotaData, RuleData, RuleFile, Staff
from infra.yamlfile import YamlFileError, read_yaml

DEFAULT_RULES = Path(__file__).with_name("rules.yaml")
"""Rules to start from: fictional staff, and numbers that a clinical safety officer has still to sign."""

_Defect = tuple[tuple[str, ...], str]
"""Where in the file, and what is wrong there."""


def load_rules(
    path: Path,
    providers: Collection[str],
    dependencies: Collection[str] = (),
    services: Collection[str] | None = None,
    areas: Collection[str] | None = None,
) -> tuple[Rule, ...]:
    """The rules of a file, those on other rules after these. The collections are the names that a rule may watch.

    One of several parts of a kind may be named after a colon: ``asterisk:one``. Of services and areas None takes any.
    Raises :class:`RulesError` with a line ``FILE:LINE: FIELD: CAUSE`` for each defect: then none is used.
    """
    try:
        file = read_yaml(path)
        data = RuleFile.model_validate(file.data)
    except YamlFileError as error:
        raise RulesError(str(error)) from error
    except ValidationError as error:
        raise RulesError("\n".join(told_all(file, error))) from error
    names = {"provider": providers, "service": services, "area": areas}
    if defects := [told_at(file, where, cause) for where, cause in _contradictions(data, names, dependencies)]:
        raise RulesError("\n".join(defects))
    return _built(data)


def in_order(rules: Collection[Rule]) -> list[Rule]:
    """Each rule after those whose alerts it reads; rules that go round in a circle are left out."""
    waiting, found, names = list(rules), list[Rule](), set[str]()
    while ready := [each for each in waiting if _reads(each) <= names or not _reads(each)]:
        found += ready
        names |= {each.name for each in ready}
        waiting = [each for each in waiting if each not in ready]
    return found


def _reads(rule: Rule) -> set[str]:
    return {each.rule for each in (*rule.any_of, *rule.all_of)}


def _built(data: RuleFile) -> tuple[Rule, ...]:
    people = People(data.staff)
    rotas = {name: each.rota(name, people) for name, each in data.rotas.items()}
    return tuple(in_order([_rule(each, data.link, people, rotas) for each in data.alerts]))


def _rule(data: RuleData, link: str, people: People, rotas: Mapping[str, Rota]) -> Rule:
    same = ("name", "title", "metric", "scope", "dependency", "worse", "calls_at_least", "usual_at_least", "for_s",
            "severity", "usually_helps", "source", "verified", "repeat_s", "group_wait_s", "inhibited_by")  # fmt: skip
    clear = data.clear_below if data.clear_below is not None else data.clear_above
    return Rule(
        **{name: getattr(data, name) for name in same},
        threshold=1.0 if data.threshold is None else data.threshold,
        clear=1.0 if clear is None else clear,
        window=data.window or 15,
        than_usual=data.compared_with == "usual",
        any_of=tuple(each.condition() for each in data.any_of),
        all_of=tuple(each.condition() for each in data.all_of),
        hours=None if data.hours is None else tuple(each.hours() for each in data.hours),
        link=link,
        who=people.told(data.who),
        rotas=tuple(rotas[each] for each in data.on_duty),
        escalate=tuple(
            Escalation(each.after_s, people.told(each.who), tuple(rotas[name] for name in each.on_duty))
            for each in data.escalate
        ),
        group=data.group or "",
    )


def _contradictions(
    data: RuleFile, names: Mapping[str, Collection[str] | None], dependencies: Collection[str]
) -> Iterator[_Defect]:
    people = People(data.staff)
    for number, person in enumerate(data.staff):
        if not person.is_reachable:
            yield ("staff", str(number)), "needs an email, a webhook or a mobile"
    for name, rota in data.rotas.items():
        yield from _of_rota(name, rota, people)
    by_name = {each.name: each for each in data.alerts}
    seen: dict[str, int] = {}
    for number, each in enumerate(data.alerts):
        where = ("alerts", str(number))
        if each.name in seen:
            yield (*where, "name"), f"{each.name} is the name of two rules"
        seen[each.name] = number
        for defect in (*_of_what(each, names, dependencies), *_of_whom(each, data, people), *_of_rules(each, by_name)):
            yield (*where, *defect[0]), defect[1]


def _of_rota(name: str, data: RotaData, people: People) -> Iterator[_Defect]:
    strangers = False
    teams = [("shifts", number, each.who) for number, each in enumerate(data.shifts)]
    teams += [("stand_ins", number, each.who) for number, each in enumerate(data.stand_ins)]
    for key, number, who in teams:
        for place in _strangers(who, people):
            strangers = True
            yield ("rotas", name, key, str(number), "who", place), _NOBODY
    if not strangers and (gap := data.rota(name, people).gap()):
        yield ("rotas", name), f"nobody is on duty on {DAYS[gap[0]]} at {gap[1]:%H:%M}"


_NOBODY = "needs an email, a webhook or a mobile, or is the name of somebody in staff"


def _strangers(who: Sequence[Staff], people: People) -> Iterator[str]:
    return (str(number) for number, each in enumerate(who) if not people.has(each))


def _of_what(
    rule: RuleData, names: Mapping[str, Collection[str] | None], dependencies: Collection[str]
) -> Iterator[_Defect]:
    if rule.scope not in (*EACH, TOTAL):
        scope = Scope.read(rule.scope)
        known = names[scope.kind]
        if known is not None and scope.id not in known:
            yield ("scope",), f"no {scope.kind} has the id {scope.id}"
    if rule.dependency is not None and rule.dependency.partition(":")[0] not in dependencies:
        yield ("dependency",), f"{rule.dependency} is none of {', '.join(sorted(dependencies))}"
    is_composite = rule.metric == "composite"
    if not is_composite and rule.threshold is None:
        yield ("threshold",), "is missing"
    if is_composite != bool(rule.any_of or rule.all_of):
        yield ("metric",), "a composite rule, and no other, has any_of or all_of"
    if rule.usual_at_least and rule.metric not in WINDOW_METRICS:
        yield ("usual_at_least",), "goes with what is counted of a window only"


def _of_whom(rule: RuleData, data: RuleFile, people: People) -> Iterator[_Defect]:
    steps: tuple[tuple[tuple[str, ...], RuleData | EscalationData], ...] = (
        ((), rule),
        *((("escalate", str(number)), each) for number, each in enumerate(rule.escalate)),
    )
    for where, step in steps:
        if not step.who and not step.on_duty:
            yield (*where, "who"), "needs at least one, or a rota in on_duty"
        for place in _strangers(step.who, people):
            yield (*where, "who", place), _NOBODY
        for name in step.on_duty:
            if name not in data.rotas:
                yield (*where, "on_duty"), f"there is no rota {name}"
    if rule.metric in TOLD_METRICS and (rule.repeat_s or rule.inhibited_by):
        yield ("metric",), f"{rule.metric} is told once: it has no repeat_s or inhibited_by"


def _of_rules(rule: RuleData, by_name: Mapping[str, RuleData]) -> Iterator[_Defect]:
    for key, named in (
        ("any_of", [each.rule for each in rule.any_of]),
        ("all_of", [each.rule for each in rule.all_of]),
        ("inhibited_by", rule.inhibited_by),
    ):
        for name in named:
            if name == rule.name:
                yield (key,), "a rule cannot name itself"
            elif name not in by_name or by_name[name].metric in TOLD_METRICS:
                yield (key,), f"there is no rule {name} that could fire"
            elif rule.name in _behind(name, key, by_name):
                yield (key,), f"goes round in a circle by way of {name}"
            elif (by_name[name].metric in OWN_METRICS) != (rule.metric in OWN_METRICS) and key != "inhibited_by":
                yield (key,), f"{name} is what each process sees for itself: others cannot build on it"


def _behind(name: str, key: str, by_name: Mapping[str, RuleData]) -> set[str]:
    """Every rule that the one with this name builds on, by ``key`` (conditions of both kinds are one)."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        rule = by_name.get(waiting.pop())
        if rule is None:
            continue
        conditions = [each.rule for each in (*rule.any_of, *rule.all_of)]
        further = set(rule.inhibited_by if key == "inhibited_by" else conditions) - found
        found |= further
        waiting += further
    return found
