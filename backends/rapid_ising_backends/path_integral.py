"""Simulated quantum annealing with dwave-samplers: paths in imaginary time that end at the asked beta."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

from dwave.samplers import PathIntegralAnnealingSampler

from rapid_ising import Capabilities, LocalBackend, Request, noted_interrupts
from rapid_ising.typing import States
from rapid_ising.validation import finite, positive_integer
from rapid_ising_backends.cooling import ground_state_schedule, held_schedule, random_states


@final
@dataclasses.dataclass(frozen=True)
class PathIntegral(LocalBackend):
    r"""Monte Carlo sampling of the paths of a transverse-field Ising model whose field is taken away.

    .. math:: Z(t) = \mathrm{Tr} \, e^{-\beta(t) E(\sigma^z) + \Gamma(t) \sum_i \sigma^x_i}

    beta(t) rises from 0 to the asked beta while the transverse field falls from ``transverse_field`` to 0;
    the last ``hold`` of the sweeps are at the end of both. Without a transverse field a path is a spin that
    does not change, and its update is the heat-bath rule: the reads have the Boltzmann law of the asked beta
    once the last sweeps mix, as those of simulated annealing do. A deadline is looked at between reads.

    Parameters
    ----------
    num_sweeps
        The sweeps of each read.
    hold
        The share of the sweeps at the asked beta without transverse field, at the end.
    transverse_field
        The transverse field at the start, in units of the temperature; 0 makes it simulated annealing.

    Notes
    -----
    King et al., Nature Communications 12, 1113 (2021), whose program it is.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> PathIntegral().sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "path-integral"
    capabilities = Capabilities()

    num_sweeps: int = 200
    hold: float = 0.5
    transverse_field: float = 1.0

    def __post_init__(self) -> None:
        positive_integer("num_sweeps", self.num_sweeps)
        finite("hold", self.hold, minimum=0, maximum=1)
        finite("transverse_field", self.transverse_field, minimum=0)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        rising = held_schedule(1.0, self.num_sweeps, self.hold)
        if math.isfinite(request.beta):
            betas = request.beta * rising
        else:
            betas = ground_state_schedule(request.model, self.num_sweeps, refresh=False)
        rng, n = request.rng, request.model.num_variables
        start = random_states(rng, request.num_reads, n)
        with noted_interrupts() as noted:
            sampler = PathIntegralAnnealingSampler()  # type: ignore[no-untyped-call]
            answer = sampler.sample(
                request.model.to_bqm(),
                num_reads=request.num_reads,
                beta_schedule_type="custom",
                Hp_field=betas,
                Hd_field=self.transverse_field * (1 - rising),
                seed=int(rng.integers(2**31)),
                initial_states=(start, list(range(n))),
                interrupt_function=lambda: bool(noted) or request.deadline.passed,
            )
        request.deadline.check(self.name)
        facts = {
            "num_sweeps": self.num_sweeps,
            "hold": self.hold,
            "transverse_field": self.transverse_field,
            "beta_range": [float(betas[0]), float(betas[-1])],
        }
        return answer.record.sample, facts
