"""What the stages themselves cost: a dense problem through a whole chain around a machine that takes no time.

Run: python benchmarks/stages.py [N] [READS]
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, final

import numpy as np

import rapid_ising as ri
from rapid_ising.machine import Ancilla, Quantized, Scaled
from rapid_ising.machine.prepare import staged
from rapid_ising.typing import States

REPEATS = 7
TARGET = 1.3


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Instant(ri.LocalBackend):
    """A machine that takes no time: it has its states ready, and builds a BQM first where it is told to."""

    name: ClassVar[str] = "instant"

    ready: States
    builds: bool = False
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen

    def _draw(self, request: ri.Request) -> tuple[States, dict[str, Any]]:
        if self.builds:
            request.model.to_bqm()
        return self.ready[: request.num_reads, : request.model.num_variables], {}


def seconds(works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the shortest of several times of each work; they take turns, so that all see a busy machine."""
    times = dict.fromkeys(works, math.inf)
    for _ in range(REPEATS):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name] = min(times[name], time.perf_counter() - began)
    return times


def main(spins: int = 2000, reads: int = 100) -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    matrix = np.triu(rng.normal(size=(spins, spins)), k=1)
    model = ri.IsingModel(rng.normal(size=spins), matrix + matrix.T)
    states = (2 * rng.integers(2, size=(reads, spins + 1)) - 1).astype(np.int8)
    limits = {"field_range": (-(2.0**15), 2.0**15), "coupling_range": (-(2.0**15), 2.0**15)}
    facts = ri.Capabilities(integer_coefficients=True, **limits)  # type: ignore[arg-type]
    machine = Instant(states, capabilities=facts)
    bare = Instant(states)
    chains: dict[str, ri.Backend] = {
        "no stage": bare,
        "scaled": Scaled(machine_without_steps(machine)),
        "scaled, quantized": Scaled(Quantized(machine)),
        "ancilla, scaled, quantized": Ancilla(
            Scaled(
                Quantized(dataclasses.replace(machine, capabilities=dataclasses.replace(facts, fields=False)))
            )
        ),
        "scaled, quantized, 4 gauges": staged(machine, gauges=4),
        "4 gauges, scaled, in an uneven range": staged(uneven(machine_without_steps(machine)), gauges=4),
    }
    works: dict[str, Callable[[], object]] = {
        "bqm": model.to_bqm,
        "energies": lambda: model.energies(states[:, :spins]),
        **{name: partial(chain.sample, model, num_reads=reads, seed=0) for name, chain in chains.items()},
    }
    spent = seconds(works)
    limit = spent["bqm"] + spent["energies"]
    print(f"{spins} spins, dense, {reads} reads; the best of {REPEATS} times")
    print(f"{'building the BQM and one energy product':44s} {limit * 1e3:8.1f} ms")
    for name in chains:
        print(f"{name:44s} {spent[name] * 1e3:8.1f} ms  {spent[name] / limit:5.2f} x  (at most {TARGET} x)")


def uneven(machine: Instant) -> Instant:
    """Return the machine with a range of couplings that is wider on one side."""
    facts = dataclasses.replace(machine.capabilities, coupling_range=(-(2.0**16), 2.0**15))
    return dataclasses.replace(machine, capabilities=facts)


def machine_without_steps(machine: Instant) -> Instant:
    """Return the machine with real coefficients."""
    return dataclasses.replace(
        machine, capabilities=dataclasses.replace(machine.capabilities, integer_coefficients=False)
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
