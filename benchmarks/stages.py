"""What the stages themselves cost: a dense problem through a chain around a machine that takes no time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, final

import numpy as np

import rapid_ising as ri
from benchmarks.side_by_side import Pair, Size, at_most, case, pick
from rapid_ising.machine import Ancilla, Quantized, Scaled
from rapid_ising.machine.prepare import staged
from rapid_ising.typing import States


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Instant(ri.LocalBackend):
    """A machine that takes no time: it has its states ready."""

    name: ClassVar[str] = "instant"

    ready: States
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen

    def _draw(self, request: ri.Request) -> tuple[States, dict[str, Any]]:
        return self.ready[: request.num_reads, : request.model.num_variables], {}

    def with_facts(self, **changes: Any) -> Instant:
        facts = dataclasses.replace(self.capabilities, **changes)
        return dataclasses.replace(self, capabilities=facts)


@case(1)
def stages(size: Size, threads: int) -> Iterator[Pair]:
    spins, reads = pick(size, (40, 5), (2000, 100))
    rng = np.random.default_rng(0)
    matrix = np.triu(rng.normal(size=(spins, spins)), k=1)
    model = ri.IsingModel(rng.normal(size=spins), matrix + matrix.T)
    ready = (2 * rng.integers(2, size=(reads, spins + 1)) - 1).astype(np.int8)
    wide = (-(2.0**15), 2.0**15)
    real = Instant(ready).with_facts(field_range=wide, coupling_range=wide)
    whole = real.with_facts(integer_coefficients=True)
    uneven = real.with_facts(coupling_range=(-(2.0**16), 2.0**15))
    chains: dict[str, ri.Backend] = {
        "no stage": Instant(ready),
        "scaled": Scaled(real),
        "scaled, quantized": Scaled(Quantized(whole)),
        "ancilla, scaled, quantized": Ancilla(Scaled(Quantized(whole.with_facts(fields=False)))),
        "scaled, quantized, 4 gauges": staged(whole, gauges=4),
        "4 gauges, scaled, in an uneven range": staged(uneven, gauges=4),
    }

    def limit() -> None:
        model.to_bqm()
        model.energies(ready[:, :spins])

    for name, chain in chains.items():
        work = f"stages, N={spins}, {reads} reads: {name}"
        ours = partial(chain.sample, model, num_reads=reads, seed=0)
        yield Pair("-", work, ours, "the BQM and one energy product", limit, at_most(1.3))
