"""``python -m tests.bench [PART] [--quick]``: measure, print the table, write ``bench/results.json``.

``--quick`` only shows that everything still runs: its figures mean nothing and are not written.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.asterisk.instance import AsteriskUnavailable, find_installation
from tests.bench import (
    alerts,
    capacity,
    engine,
    kpi,
    live_calls,
    machine,
    plans,
    reaction,
    servers,
    sip,
    surveillance,
    twilio,
    wallboard,
    webhook,
)
from tests.bench.figures import Verdict, as_data, at_least, at_most, later_by, printed, show
from tests.running import ROOT

RESULTS = ROOT / "bench" / "results.json"
Results = dict[str, Any]


def main() -> int:
    """0 when everything ran, whatever the figures; 1 when a part could not run here."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 140)
    folder = Path(tempfile.mkdtemp(prefix="callrouter-bench-"))
    results: Results = {}
    left_out = False
    for name in [options.part] if options.part else list(PARTS):
        part = PARTS[name]
        if reasons := part.missing():
            left_out = True
            console.print(f"[bold]{name} is not measured:[/] {'; '.join(reasons)}")
            continue
        results[name] = part.measure(folder / name, part.quick if options.quick else part.full)
    shutil.rmtree(folder)  # after a failure it stays, and the error names it
    _report(results, console, quick=options.quick)
    return 1 if left_out else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=tuple(PARTS), help="only this part; default: all")
    parser.add_argument("--quick", action="store_true", help="seconds a part: does everything still run?")
    return parser.parse_args()


def _nothing() -> list[str]:
    return []


def _telephones() -> list[str]:
    """Why no SIP call is possible here."""
    found = [] if shutil.which("sipp") else ["SIPp is not installed: apt-get install sip-tester"]
    try:
        find_installation()
    except AsteriskUnavailable as reason:
        found.append(str(reason))
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """What can be measured by itself. ``telephony``: whether Asterisk is among the facts of its machine."""

    measure: Callable[[Path, Any], Results]
    full: Any
    quick: Any
    missing: Callable[[], list[str]]
    verdicts: Callable[[Sequence[Results]], list[Verdict]]
    telephony: bool = False


def _report(results: Results, console: Console, *, quick: bool) -> None:
    if not results:
        return
    if quick:
        _show(results, console)
        console.print("Everything ran. A quick run is too short for figures that mean anything: nothing was written.")
        return
    for name, part in results.items():
        part["machine"] = machine.facts(find_installation().launcher if PARTS[name].telephony else None)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    whole = {name: part for name, part in kept.items() if name in PARTS} | results
    found, _ = verdicts(whole)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"ratios": as_data(found), **whole}, indent=1) + "\n")
    _show(whole, console)
    console.print(f"Every raw figure: {RESULTS.relative_to(ROOT)}")


def _show(results: Results, console: Console) -> None:
    found, lacking = verdicts(results)
    show(found, console)
    for each in lacking:
        console.print(each)


def verdicts(results: Results) -> tuple[list[Verdict], list[str]]:
    """Each target that these results can tell about; and what kept parts lack that an older run did not measure."""
    found: list[Verdict] = []
    lacking: list[str] = []
    for name, part in PARTS.items():
        try:
            found += part.verdicts(results[name]["rounds"]) if name in results else []
        except KeyError as missing:
            lacking.append(f"{name}: {missing} was not measured in the run that is kept; measure this part again.")
    return found, lacking


def _twilio(rounds: Sequence[Results]) -> list[Verdict]:
    ours, theirs = ([each[name]["requests_per_s"] for each in rounds] for name in ("ours", "flask"))
    return [at_least("Twilio answer webhook, until the last row is in SQL", ours, theirs, "/s", 1.0)]


def _webhook(rounds: Sequence[Results]) -> list[Verdict]:
    ours, flask, express = ([each[name]["requests_per_s"] for each in rounds] for name in ("ours", "flask", "express"))
    cpu = {name: [each[name]["cpu_ms_a_request"] for each in rounds] for name in ("ours", "flask", "express")}
    what = "Twilio answer webhook on Redis and PostgreSQL"
    return [
        at_least(f"{what}, until the last row is in SQL, against Flask", ours, flask, "/s", 1.2),
        at_least(f"{what}, until the last row is in SQL, against Express", ours, express, "/s", 0.6),
        printed(f"{what}, CPU of the process, against Flask", cpu["ours"], cpu["flask"], "ms CPU"),
        printed(f"{what}, CPU of the process, against Express", cpu["ours"], cpu["express"], "ms CPU"),
    ]


def _reaction(rounds: Sequence[Results]) -> list[Verdict]:
    paced = [{variant: each[variant]["paced"] for variant in reaction.VARIANTS} for each in rounds]
    return [*_reactions(rounds, ""), *_reactions(paced, f", {reaction.A_SECOND} calls a second")]


def _reactions(rounds: Sequence[Results], when: str) -> list[Verdict]:
    def p99(variant: str, event: str) -> list[float]:
        return [each[variant][event]["p99_ms"] for each in rounds]

    return [
        at_most(f"{what} (p99){when}, {where}", p99(variant, event), p99("bare", event), "ms", 4)
        for event, what in (
            ("start", "ARI: StasisStart → answer"),
            ("wrong_key", "ARI: key that is not on offer → prompt"),
            ("key", "ARI: key → two look-ups → order to dial"),
        )
        for variant, where in (("embedded", "in-process state and SQLite"), ("production", "Redis and PostgreSQL"))
    ]


def _sip(rounds: Sequence[Results], when: str = "") -> list[Verdict]:
    def each(variant: str, figure: str) -> list[float]:
        return [one[variant][figure] for one in rounds]

    cpu, sound = "cpu_ms_a_call", "sound_p50_ms"
    return [
        at_most(f"SIP call{when}, journal in memory, against dialplan alone",
                each("memory", cpu), each("dialplan", cpu), "ms CPU", 2.5),
        at_most(f"SIP call{when}, full job, against FastAGI", each("full", cpu), each("fastagi", cpu), "ms CPU", 1.5),
        later_by(f"SIP first prompt{when}, full job, against dialplan alone",
                 each("full", sound), each("dialplan", sound), 10),
    ]  # fmt: skip


def _engine(rounds: Sequence[Results]) -> list[Verdict]:
    ours = [float(each["ours"]) for each in rounds]
    fastest = [max(float(rate) for name, rate in each.items() if name != "ours") for each in rounds]
    what = "The engine on a menu of five states, JSON between inputs, against the fastest of three state machines"
    return [at_least(what, ours, fastest, "calls/s", 1.0)]


def _capacity(rounds: Sequence[Results]) -> list[Verdict]:
    ours, dialplan = ([float(each[name]["sustained"]) for each in rounds] for name in ("full", "dialplan"))
    return [printed("Whole menu calls that one worker on one core carries, against dialplan alone",
                    ours, dialplan, "/s")]  # fmt: skip


def _live_calls(rounds: Sequence[Results]) -> list[Verdict]:
    found = []
    for kind, what in (("lines", "real callers who hold with music"), ("stored", "calls in Redis")):
        fewest, *_, most = rounds[0][kind]
        costs = [[min(rounds[0][kind][live]["event_ms"])] for live in (most, fewest)]
        found.append(at_most(f"CPU of one event with {most} {what}, against {fewest}", *costs, "ms CPU", 1.5))
    return found


def _surveillance(rounds: Sequence[Results]) -> list[Verdict]:
    ours, theirs = ([each[name]["ms_a_series"] for each in rounds] for name in ("ours", "r"))
    whole, tenth = ([each["ours"][key] for each in rounds] for key in ("ms_a_series", "ms_a_series_of_a_tenth"))
    seconds, live = ([each["ours"][key] for each in rounds] for key in ("all_s", "live_s"))
    rates = [[1000 / each for each in times] for times in (ours, theirs)]
    what = "Farrington Flexible, weeks of series a second of CPU"
    return [
        at_least(f"{what}, in a batch, against R's farringtonFlexible", *rates, "/s", 50),
        at_most("Farrington Flexible, a series in a batch, against in a tenth of it", whole, tenth, "ms CPU", 1.5),
        at_most("10,000 series screened, against 20 s", seconds, [20.0] * len(seconds), "s", 1.0),
        at_most("10,000 series in one live look, against 20 s", live, [20.0] * len(live), "s CPU", 1.0),
    ]


PARTS: dict[str, Part] = {
    "twilio": Part(twilio.measure, twilio.FULL, twilio.QUICK, _nothing, _twilio),
    "webhook": Part(
        webhook.measure, webhook.FULL, webhook.QUICK, lambda: webhook.missing() + servers.missing(), _webhook
    ),
    "reaction": Part(reaction.measure, reaction.FULL, reaction.QUICK, servers.missing, _reaction),
    "engine": Part(engine.measure, engine.FULL, engine.QUICK, _nothing, _engine),
    "sip": Part(sip.measure, sip.FULL, sip.QUICK, _telephones, _sip, telephony=True),
    "sip-busy": Part(
        sip.measure, sip.BUSY, sip.QUICK, _telephones, partial(_sip, when=" at 32 calls a second"), telephony=True
    ),
    "capacity": Part(capacity.measure, capacity.FULL, capacity.QUICK, _telephones, _capacity, telephony=True),
    "live-calls": Part(
        live_calls.measure,
        live_calls.FULL,
        live_calls.QUICK,
        lambda: _telephones() + servers.missing(),
        _live_calls,
        telephony=True,
    ),
    "alerts": Part(alerts.measure, alerts.FULL, alerts.QUICK, alerts.missing, alerts.verdicts),
    "kpi": Part(kpi.measure, kpi.FULL, kpi.QUICK, kpi.missing, kpi.verdicts),
    "wallboard": Part(wallboard.measure, wallboard.FULL, wallboard.QUICK, _nothing, wallboard.verdicts),
    "plans": Part(plans.measure, plans.FULL, plans.QUICK, plans.missing, plans.verdicts),
    "surveillance": Part(
        surveillance.measure, surveillance.FULL, surveillance.QUICK, surveillance.missing, _surveillance
    ),
}


if __name__ == "__main__":
    sys.exit(main())
