"""``python -m tests.bench [sip|twilio] [--quick]``: measure, print the table, write ``bench/results.json``.

``--quick`` only shows that everything still runs: its figures mean nothing and are not written.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.asterisk.instance import AsteriskUnavailable, find_installation
from tests.bench import machine, sip, twilio
from tests.bench.figures import Verdict, as_data, at_least, at_most, later_by, show
from tests.running import ROOT

RESULTS = ROOT / "bench" / "results.json"
Results = dict[str, Any]


def main() -> int:
    """0 when everything ran, whatever the figures; 1 when a part could not run here."""
    options = _options()
    parts: Sequence[str] = [options.part] if options.part else ("twilio", "sip")
    missing = [] if "sip" not in parts else _missing()
    console = Console(width=None if sys.stdout.isatty() else 140)
    for reason in missing:
        console.print(f"[bold]SIP is not measured:[/] {reason}")
    folder = Path(tempfile.mkdtemp(prefix="callrouter-bench-"))
    results: Results = {}
    if "twilio" in parts:
        results["twilio"] = twilio.measure(folder / "twilio", twilio.QUICK if options.quick else twilio.FULL)
    if "sip" in parts and not missing:
        results["sip"] = sip.measure(folder / "sip", sip.QUICK if options.quick else sip.FULL)
    shutil.rmtree(folder)  # after a failure it stays, and the error names it
    _report(results, console, quick=options.quick)
    return 1 if missing else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("sip", "twilio"), help="only this part; default: both")
    parser.add_argument("--quick", action="store_true", help="under a minute: does everything still run?")
    return parser.parse_args()


def _missing() -> list[str]:
    """Why no SIP call is possible here."""
    found = [] if shutil.which("sipp") else ["SIPp is not installed: apt-get install sip-tester"]
    try:
        find_installation()
    except AsteriskUnavailable as reason:
        found.append(str(reason))
    return found


def _report(results: Results, console: Console, *, quick: bool) -> None:
    if not results:
        return
    if quick:
        show(verdicts(results), console)
        console.print("Everything ran. A quick run is too short for figures that mean anything: nothing was written.")
        return
    launcher = find_installation().launcher if "sip" in results else None
    for name, part in results.items():
        part["machine"] = machine.facts(launcher if name == "sip" else None)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    whole = {name: part for name, part in kept.items() if name in ("twilio", "sip")} | results
    found = verdicts(whole)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"ratios": as_data(found), **whole}, indent=1) + "\n")
    show(found, console)
    console.print(f"Every raw figure: {RESULTS.relative_to(ROOT)}")


def verdicts(results: Results) -> list[Verdict]:
    """Each target that these results can tell about."""
    return [*_twilio(results["twilio"]["rounds"] if "twilio" in results else []),
            *_sip(results["sip"]["rounds"] if "sip" in results else [])]  # fmt: skip


def _twilio(rounds: Sequence[Results]) -> list[Verdict]:
    if not rounds:
        return []
    ours, theirs = ([each[name]["requests_per_s"] for each in rounds] for name in ("ours", "flask"))
    return [at_least("Twilio answer webhook, until the last row is in SQL", ours, theirs, "/s", 1.0)]


def _sip(rounds: Sequence[Results]) -> list[Verdict]:
    if not rounds:
        return []

    def each(variant: str, figure: str) -> list[float]:
        return [one[variant][figure] for one in rounds]

    cpu, sound = "cpu_ms_a_call", "sound_p50_ms"
    return [
        at_most("SIP call, journal in memory, against dialplan alone",
                each("memory", cpu), each("dialplan", cpu), "ms CPU", 2.5),
        at_most("SIP call, full job, against FastAGI", each("full", cpu), each("fastagi", cpu), "ms CPU", 1.5),
        later_by("SIP first prompt, full job, against dialplan alone",
                 each("full", sound), each("dialplan", sound), 10),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
