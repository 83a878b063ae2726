"""Two ways of one work, timed in turns: what a benchmark is made of.

A case is a function that yields pairs (ours, and a peer or the limit of the machine) or rows that it measured
itself. The ways take turns, A B A B, so that both see the same busy machine; the ratio of each turn is taken,
and of the ratios the median.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

from benchmarks import memory

Size = Literal["smoke", "full"]


class Seconds(float):
    """The time that a work took, as it says itself."""


Work = Callable[[], object]
"""One way of a work. One that returns ``Seconds`` timed itself; a pair does so on both sides or on none."""
Clock = Callable[[], float]
T = TypeVar("T")

ENOUGH = 0.02
"""Seconds of one turn: shorter work is repeated within it."""
SETTLED = 0.3
"""Seconds between turns of several threads, in which workers of the last turn stop spinning.

After a twentieth of a second they still do, and take a part of the cores from the next turn.
"""
BUDGET = 5.0
"""Seconds for the turns of a pair."""
TURNS = 3, 15
"""The fewest and the most turns."""
MISSING = "peer not installed"


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound that a figure is held to."""

    bound: float
    kind: Literal["at most", "at least"]
    unit: str = "x"

    def met(self, value: float) -> bool:
        return value <= self.bound if self.kind == "at most" else value >= self.bound


def at_most(bound: float, unit: str = "x") -> Target:
    """Return the target of a work held against a limit: so many times the limit's time."""
    return Target(bound, "at most", unit)


def at_least(bound: float, unit: str = "x") -> Target:
    """Return the target of a work held against a peer: so many times faster."""
    return Target(bound, "at least", unit)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A work in two ways, not measured yet."""

    line: str
    """The line of the table of targets, "-" where it is none of them."""
    work: str
    ours: Work
    peer: str
    theirs: Work | None
    """None where the peer is not installed."""
    target: Target | None = None
    multiple: float = 1.0
    """How often the peer's work is what ours amounts to."""
    parts: float = 1.0
    """How many of what the work names are in one call."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the printed table."""

    line: str
    work: str
    threads: int
    peer: str
    ours: float | None = None
    """Seconds, the shortest of the turns."""
    theirs: float | None = None
    value: float | None = None
    """What is held to the target: the ratio, or another figure in the target's unit."""
    spread: float | None = None
    """Half of the distance between the quartiles of the ratios, as a share of their median."""
    target: Target | None = None
    memory: float | None = None
    """Bytes that our way took at most, beyond what was there before it."""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return MISSING if self.peer else ""
        if self.target is None:
            return ""
        return "yes" if self.target.met(self.value) else "no"


Case = Callable[[Size, int], Iterator[Pair | Row]]
CASES: dict[str, tuple[Case, tuple[int, ...]]] = {}
"""Every case by its name, ``file.function``, with the numbers of threads that it is measured at."""


def case(*threads: int) -> Callable[[Case], Case]:
    """Return the decorator that registers a case, called with the size and each number of threads."""

    def register(function: Case) -> Case:
        module = function.__module__.rpartition(".")[2]
        CASES[f"{module}.{function.__name__}"] = function, threads
        return function

    return register


def pick(size: Size, smoke: T, full: T) -> T:
    return full if size == "full" else smoke


def peer(package: str, make: Callable[[], Work]) -> Work | None:
    """Return the peer's way, None where its package is not installed."""
    try:
        found = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    return make() if found else None


def clock_of(threads: int) -> Clock:
    """Return the clock of the processor for one thread, which others do not disturb; else the wall's."""
    return time.process_time if threads == 1 else time.perf_counter


def measured(made: Pair | Row, size: Size, threads: int) -> Row:
    """Return the row of a pair, timed in turns."""
    if isinstance(made, Row):
        return made
    clock = clock_of(threads)
    pause = SETTLED if threads > 1 and size == "full" else 0.0
    row = Row(made.line, made.work, threads, made.peer, target=made.target)
    if size == "full":
        # This call compiles and fills caches; the next one shows the memory that is needed from then on.
        seconds(made.ours, clock)
    began = time.perf_counter()
    took, peak = memory.peak_of(lambda: seconds(made.ours, clock))
    lasted = time.perf_counter() - began
    row = dataclasses.replace(row, ours=took / made.parts, memory=peak)
    if made.theirs is None:
        return row
    if size == "smoke":
        times = list(turns(made.ours, made.theirs, clock))
    else:
        calls = repeats(lasted), repeats(trial(made.theirs))
        times = list(turns(made.ours, made.theirs, clock, calls, pause, *TURNS))
    ours, theirs = (min(side) for side in zip(*times, strict=True))
    ratios = [ratio(made.target, a, made.multiple * b) for a, b in times]
    middle = statistics.median(ratios)
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else [middle] * 3
    spread = (quartiles[2] - quartiles[0]) / 2 / middle
    theirs *= made.multiple
    return dataclasses.replace(
        row, ours=ours / made.parts, theirs=theirs / made.parts, value=middle, spread=spread
    )


def ratio(target: Target | None, ours: float, theirs: float) -> float:
    """Return how many times faster ours is, or how many times the limit it takes where the target is that."""
    return ours / theirs if target is not None and target.kind == "at most" else theirs / ours


def compared(
    line: str, work: str, threads: int, ours: float, peer: str, theirs: float, target: Target
) -> Row:
    """Return the row of two times in seconds that a case measured itself."""
    return Row(line, work, threads, peer, ours, theirs, ratio(target, ours, theirs), target=target)


def trial(work: Work) -> float:
    """Return how long a second call lasts, after one that fills caches; or the first, where that is long."""
    for _ in range(2):
        began = time.perf_counter()
        work()
        lasted = time.perf_counter() - began
        if lasted > 1:
            break
    return lasted


def repeats(lasted: float) -> int:
    """Return how many calls make a turn."""
    return max(1, math.ceil(ENOUGH / max(lasted, 1e-9)))


def turns(
    ours: Work,
    theirs: Work,
    clock: Clock,
    calls: tuple[int, int] = (1, 1),
    pause: float = 0.0,
    fewest: int = 1,
    most: int = 1,
) -> Iterator[tuple[float, float]]:
    """Yield the seconds of both ways, turn by turn, until the time for a pair is over."""
    began = time.perf_counter()
    for turn in range(most):
        if turn >= fewest and time.perf_counter() - began > BUDGET:
            return
        first = seconds(ours, clock, calls[0])
        time.sleep(pause)
        yield first, seconds(theirs, clock, calls[1])
        time.sleep(pause)


def seconds(work: Work, clock: Clock = time.perf_counter, calls: int = 1) -> Seconds:
    """Return the mean time of a call, or what the work says that it took."""
    told = 0.0
    began = clock()
    for _ in range(calls):
        answer = work()
        told += answer if isinstance(answer, Seconds) else 0.0
    return Seconds((told or clock() - began) / calls)
