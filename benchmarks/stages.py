"""What the stages themselves cost: a dense problem through a whole chain around a machine that takes no time.

Run: python benchmarks/stages.py [N] [READS]
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any, ClassVar, final

import numpy as np

import rapid_ising as ri
from rapid_ising.machine import Ancilla, Gauged, Quantized, Scaled
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


def seconds(work: Callable[[], object]) -> float:
    """Return the shortest of several times."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


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
    limit = seconds(model.to_bqm) + seconds(lambda: model.energies(states[:, :spins]))
    chains: dict[str, ri.Backend] = {
        "no stage": bare,
        "scaled": Scaled(machine_without_steps(machine)),
        "scaled, quantized": Scaled(Quantized(machine)),
        "ancilla, scaled, quantized": Ancilla(
            Scaled(
                Quantized(dataclasses.replace(machine, capabilities=dataclasses.replace(facts, fields=False)))
            )
        ),
        "4 gauges, scaled, quantized": Gauged(Scaled(Quantized(machine)), gauges=4),
    }
    print(f"{spins} spins, dense, {reads} reads; the best of {REPEATS} times")
    print(f"{'building the BQM and one energy product':44s} {limit * 1e3:8.1f} ms")
    for name, chain in chains.items():
        spent = seconds(lambda chain=chain: chain.sample(model, num_reads=reads, seed=0))  # type: ignore[misc]
        print(f"{name:44s} {spent * 1e3:8.1f} ms  {spent / limit:5.2f} x  (at most {TARGET} x)")


def machine_without_steps(machine: Instant) -> Instant:
    """Return the machine with real coefficients."""
    return dataclasses.replace(
        machine, capabilities=dataclasses.replace(machine.capabilities, integer_coefficients=False)
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
