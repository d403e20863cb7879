"""Small flows of every action that the language has: at most seven nodes, each drawn by its seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

from ivr.actions.lookup import OUTCOMES, PATHWAYS
from ivr.flow import Flow, read_flow
from ivr.proof.graph import graph_of_nodes
from ivr.proof.lengths import PAUSE_S, Lengths

MOST_NODES = 7
FACTS: dict[str, Any] = {
    "plan": {"values": list(OUTCOMES["plan"])},
    "repeat": {"values": list(OUTCOMES["repeat"])},
    "hours": {"values": list(OUTCOMES["hours"])},
    "pathway": {"values": list(PATHWAYS)},
    "flag": {"type": "bool", "initial": False},
    "tries": {"type": "int", "min": 0, "max": 3, "initial": 0},
    "born": {"type": "date"},
    "number": {"type": "number"},
    "words": {"type": "text"},
}
CONDITIONS = (
    "plan in {asserted, confirmed}", "repeat == PRC", "flag", "not flag and hours == open", "tries < 2",
    "known(born)", "known(words) or flag", "hours == closed",
)  # fmt: skip
AROUND = {"who_should_stay": "stay", "safety_net": "net", "clinical_owner": "the lead"}
SOMETIMES = (True, False, False, False)
"""One time in four."""

BANDS = ("normal", "normal", "raised", "urgent")

T = TypeVar("T")


class Pick(Protocol):
    """Chooses one of several."""

    def __call__(self, among: Sequence[T], /) -> T: ...


Exit = Callable[[], str]
Make = Callable[[Pick, Exit], dict[str, Any]]


def flow_of_seed(seed: int) -> Flow:
    """For many flows that are all different."""
    return make_flow(Random(seed).choice)


def make_flow(pick: Pick) -> Flow:
    """A flow that is sound node by node, and may break any rule of the proof."""
    names = [f"n{number}" for number in range(pick(range(1, MOST_NODES)))]
    # look-ups of plans and branches on them seldom meet by chance
    first = pick(((), ("plan_look_up", "plan_branch"), ("menu", "plan_look_up", "plan_branch")))
    nodes: dict[str, Any] = {
        "hello": {
            "action": "say", "prompts": ["emergency_999", "recording_notice"], "barge_in": False,
            "exits": {"next": names[0]},
        },
    }  # fmt: skip
    for number, name in enumerate(names):
        ahead = names[number + 1 :]

        def to(ahead: Sequence[str] = ahead) -> str:
            """Mostly onwards: flows that go back and forth are refused at once, and show little."""
            if pick(range(20)) == 0:
                return pick((*names, "default_111"))
            return pick((*ahead, *ahead[:2], *ahead[:1], "default_111"))

        action = first[number] if number < len(first) else pick(sorted(_ACTIONS))
        nodes[name] = _ACTIONS[action](pick, to)
    made = read_flow({"flow": "small", "title": "Small", "start": "hello", "facts": FACTS, "nodes": nodes})
    if pick(range(12)) == 0:
        return made  # now and then with what nobody can come to
    graph = graph_of_nodes(made)
    reached = {graph.names[state] for state in graph.reach(graph.roots)}
    return made.model_copy(update={"nodes": {name: node for name, node in made.nodes.items() if name in reached}})


def lengths_of(flow: Flow, seconds: float) -> Lengths:
    """Every prompt takes ``seconds``, the pause after it counted."""
    keys = {key for edge in graph_of_nodes(flow).edges() for key in edge.move.heard}
    return Lengths(dict.fromkeys(keys, seconds - PAUSE_S), "made up")


def _some(pick: Pick, to: Exit, *names: str) -> dict[str, str]:
    return {name: to() for name in names if pick((True, False))}


def _question(pick: Pick, to: Exit) -> dict[str, Any]:
    node: dict[str, Any] = {"prompts": ["ask"], "timeout_s": pick((2, 2, 5, 15))}
    node["no_input"] = {"limit": pick((0, 0, 1, 2))}
    node["no_match"] = {"limit": pick((0, 1, 2)), "prompts": ["sorry", "sorry_again"]}
    if pick(SOMETIMES):
        node |= {"help_key": "*", "help_prompts": ["help"]}
    node["exits"] = {name: to() for name in ("no_input", "no_match") if pick(SOMETIMES)}
    return node


def _menu(pick: Pick, to: Exit) -> dict[str, Any]:
    node = _question(pick, to)
    keys = {key: f"choice{key}" for key in pick(("1", "12", "123"))}
    words = {"choice1": ["one"]} if pick((True, False)) else {}
    exits = {choice: to() for choice in keys.values()}
    return {**node, "action": "menu", "keys": keys, "words": words, "exits": {**node["exits"], **exits}}


def _asking(action: str, **more: Any) -> Make:
    def make(pick: Pick, to: Exit) -> dict[str, Any]:
        node = _question(pick, to)
        return {**node, "action": action, **more, "exits": {**node["exits"], "next": to()}}

    return make


def _by_keys_or_words(action: str, **more: Any) -> Make:
    """A question that takes keys and words, or keys alone."""
    make = _asking(action, **more)
    return lambda pick, to: {**make(pick, to), "speech": not pick(SOMETIMES)}


def _gather(pick: Pick, to: Exit) -> dict[str, Any]:
    takes = pick(({"speech": True}, {"speech": True, "digits": 4}, {"digits": 1}, {"digits": 4}))
    return _asking("gather", into="words", **takes)(pick, to)


def _yes_no(pick: Pick, to: Exit) -> dict[str, Any]:
    node = _question(pick, to)
    exits = {**node["exits"], "yes": to(), "no": to()}
    return {**node, "action": "ask_yes_no", "into": "flag", "exits": exits}


def _branch(pick: Pick, to: Exit) -> dict[str, Any]:
    if pick((True, False)):
        fact, value = pick((("plan", "asserted"), ("repeat", "RC"), ("hours", "open"), ("flag", "true")))
        return {"action": "branch", "fact": fact, "exits": {value: to(), "else": to()}}
    rows = dict.fromkeys((pick(CONDITIONS), pick(CONDITIONS)))
    when = [{"if": row, "exit": f"way{number}"} for number, row in enumerate(rows)]
    return {"action": "branch", "when": when, "exits": {**{row["exit"]: to() for row in when}, "else": to()}}


def _lookup(pick: Pick, to: Exit) -> dict[str, Any]:
    what = pick(("plan", "repeat", "hours", "birth_date"))
    node: dict[str, Any] = {"action": "lookup", "what": what, "into": {"birth_date": "plan"}.get(what, what)}
    if what == "hours":
        node["service"] = "111"
    if what == "birth_date":
        node |= {"given": "born", "also": {"pathway": "pathway"}}
    return {**node, "exits": {"next": to()}}


def _plan_look_up(pick: Pick, to: Exit) -> dict[str, Any]:
    what = pick(("plan", "repeat"))
    return {"action": "lookup", "what": what, "into": what, "exits": {"next": to()}}


def _plan_branch(pick: Pick, to: Exit) -> dict[str, Any]:
    fact, value = pick((("plan", "asserted"), ("plan", "none"), ("repeat", "RC")))
    return {"action": "branch", "fact": fact, "exits": {value: to(), "else": to()}}


def _set(pick: Pick, to: Exit) -> dict[str, Any]:
    if pick(range(8)) == 0:
        return {"action": "set", "interpreter": "pl"}
    facts = pick(({"flag": True}, {"flag": False}, {"tries": 2}, {"plan": "none"}, {}))
    return {"action": "set", "facts": facts, "band": pick((None, "urgent")), "exits": {"next": to()}}


def _offer(pick: Pick, to: Exit) -> dict[str, Any]:
    kind = pick(("service", "self_care", "text"))
    node: dict[str, Any] = {"action": "offer", "kind": kind, "marker": "it", "prompts": ["offer"], **AROUND}
    if kind == "self_care" and pick((True, False)):
        return {**node, "exits": _some(pick, to, "declined", "raised")}
    node |= {"ask": ["ask"], "words": pick((["please"], [])), **({"text": "link"} if kind == "text" else {})}
    return {**node, "exits": {"accepted": to(), **_some(pick, to, "declined", "raised")}}


def _connect(pick: Pick, to: Exit) -> dict[str, Any]:
    times = {"ring_s": pick((10, 20)), "search_s": pick((10, 20, 20, 45))}
    if pick((True, False)):
        exits = _some(pick, to, "failed", "raised")
        return {"action": "connect", "services": ["dental"], "diverts": True, **times, "exits": exits}
    more = {"band": pick(BANDS), "exits": _some(pick, to, "failed")}
    return {"action": "connect", "services": ["clinician"], **times, **more}


def _queue(pick: Pick, to: Exit) -> dict[str, Any]:
    services, words = [pick(("111", "clinician"))], [pick(("hold_111", "hold_111", "hold_other"))]
    exits = _some(pick, to, "failed")
    times = {"hold_s": 60, "search_s": pick((10, 45, 120)), "band": pick(BANDS)}
    return {"action": "queue", "services": services, **times, "hold_prompts": words, "exits": exits}


def _disclose(pick: Pick, to: Exit) -> dict[str, Any]:
    node = {"action": "disclose", "level": pick(("asserted", "confirmed")), "prompts": ["there_is_a_team"]}
    reason = {"targets": ["clinician"], "reason": "the team knows the caller", "clinical_owner": "the lead"}
    return {**node, **reason, "exits": {"next": to(), "below": to()}}


def _onwards(action: str, **more: Any) -> Make:
    return lambda pick, to: {"action": action, **more, "exits": {"next": to()}}


def _hang_up(pick: Pick, to: Exit) -> dict[str, Any]:
    del to
    return {"action": "hang_up", "prompts": pick(([], ["bye"]))}


_ACTIONS: dict[str, Make] = {
    "say": _onwards("say", prompts=["said"]),
    "play": _onwards("play", sound="music"),
    "menu": _menu,
    "gather": _gather,
    "ask_number": _by_keys_or_words("ask_number", into="number", most=4),
    "ask_date": _by_keys_or_words("ask_date", into="born"),
    "ask_postcode": _asking("ask_postcode", into="words"),
    "ask_yes_no": _yes_no,
    "branch": _branch,
    "lookup": _lookup,
    "plan_look_up": _plan_look_up,
    "plan_branch": _plan_branch,
    "set": _set,
    "announce": _onwards("announce", **AROUND),
    "offer": _offer,
    "disclose": _disclose,
    "queue": _queue,
    "connect": _connect,
    "call_back": _onwards("call_back", prompts=["call_back"]),
    "survey": _onwards("survey", question="how", prompts=["survey"]),
    "record": _onwards("record"),
    "hang_up": _hang_up,
}
"""Every action of the language."""
