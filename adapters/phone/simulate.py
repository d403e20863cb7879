"""Many simulated callers at once, judged by what each of them experienced, not by what the service says."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from adapters.phone.line import Line
from adapters.phone.model import Experience, Far, FarEnd, Pace
from adapters.phone.persona import SimulatedCaller
from adapters.phone.phone import Phone

WITHHELD = 0.08  # share of calls without a number
REPEATS = 0.15  # share of calls from a few numbers that call again and again
REPEATERS = 6
LONGEST_CALL_S = 4 * 3600.0  # of a caller's time; one who is still there then is stuck

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Summary:
    """How many calls were offered and what became of them: the five outcomes add up to ``offered``.

    ``answered``: talked to somebody. ``abandoned``: hung up before that by their own decision, in a message
    or in a queue. ``deflected``: hung up content after hearing of another service. ``in_error``: an error or
    fallback document, and no person behind it. ``lost``: the system ended the call, or the caller got stuck.
    ``fell_back``: of all these, how many met an error or the static document, answered or not. ``unserved``: of
    these, how many the service gave no document when it was asked for one.
    """

    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    deflected: int = 0
    in_error: int = 0
    lost: int = 0
    fell_back: int = 0
    unserved: int = 0


Progress = Callable[[Summary], None]
"""Told after every call that ended: the summary so far (``offered`` counts calls that began)."""


class RandomFar:
    """Providers as a simulation has them: most answer after a few seconds, some are busy or never answer."""

    def __init__(self, rng: random.Random, *, talk_s: float = 120.0) -> None:
        self._rng = rng
        self._talk_s = talk_s

    def take(self, target: str) -> FarEnd:
        """How the next call is taken."""
        del target
        dice, ring_s = self._rng.random(), self._rng.uniform(1, 8)
        if dice < 0.02:
            return FarEnd("busy", ring_s=0.5)
        if dice < 0.03:
            return FarEnd("no-answer")
        return FarEnd("answered", ring_s, talk_s=self._rng.expovariate(1 / self._talk_s))


async def simulate(
    line: Line,
    *,
    calls: int,
    rate: float,
    seed: int,
    speed: float = 1.0,
    talk_s: float = 120.0,
    progress: Progress | None = None,
    far: Callable[[str], Far] | None = None,
) -> Summary:
    """Make ``calls`` calls, arriving at random, ``rate`` a second of real time (Poisson), and judge each.

    Callers' own time (speaking, dwelling, waiting, talking ``talk_s`` on average) runs ``speed`` times as
    fast as ours. The same seed gives the same callers with the same intentions, numbers and arrivals; what
    the service does to them may differ.
    """
    arrivals = random.Random(f"arrivals {seed}")
    counts: Counter[str] = Counter()
    pace = Pace(speed)

    async def one(index: int) -> None:
        counts["offered"] += 1
        own_seed = f"{seed} {index}"
        ends = far(own_seed) if far else RandomFar(random.Random(f"far {own_seed}"), talk_s=talk_s)
        outcome, experience = await _one_call(line, own_seed, pace, ends)
        counts[outcome] += 1
        counts["fell_back"] += experience.fell_back
        counts["unserved"] += bool(experience.why)
        if progress:
            progress(Summary(**counts))

    async with asyncio.TaskGroup() as group:
        for index in range(calls):
            group.create_task(one(index))
            if index + 1 < calls:
                await asyncio.sleep(arrivals.expovariate(rate))
    return Summary(**counts)


async def _one_call(line: Line, seed: str, pace: Pace, far: Far) -> tuple[str, Experience]:
    rng = random.Random(f"caller {seed}")
    caller = SimulatedCaller(rng, pace)
    phone = Phone(line, caller, number=_number(rng), far=far, pace=pace)
    try:
        async with asyncio.timeout(pace.real(LONGEST_CALL_S)):
            experience = await phone.call()
    except TimeoutError:
        return "lost", Experience()
    except Exception as error:  # noqa: BLE001
        # a document that a telephone cannot perform strands this caller, and must not stop the others
        log.warning("simulated_call_failed", error=type(error).__name__)
        return "lost", Experience()
    return judge(experience, content=caller.content), experience


def judge(experience: Experience, *, content: bool) -> str:
    """The one outcome of a call, from the caller's side."""
    if experience.talked_to:
        return "answered"
    if experience.ended_by == "caller":
        return "deflected" if content else "abandoned"
    return "in_error" if experience.fell_back or experience.http_errors else "lost"


def _number(rng: random.Random) -> str:
    """A fictional number (Ofcom's ranges for drama), one of a few that call again, or none."""
    dice = rng.random()
    if dice < WITHHELD:
        return "anonymous"
    if dice < WITHHELD + REPEATS:
        return f"+4477009009{rng.randrange(REPEATERS):02d}"
    if rng.random() < 0.6:
        return f"+447700900{rng.randrange(900):03d}"
    return f"+44207946{rng.randrange(200, 1000):04d}"
