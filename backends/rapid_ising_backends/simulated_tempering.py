"""Simulated tempering as a machine: chains whose temperature is a random variable, read at the asked one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising import Capabilities, LocalBackend, Request, tempering
from rapid_ising.errors import BackendError
from rapid_ising.typing import States
from rapid_ising.validation import positive_integer
from rapid_ising_backends.cooling import random_states
from rapid_ising_backends.parallel_tempering import ladder, settled, sweep

PATIENCE = 30
"""How many times the steps that flat weights would need are taken before reads are given up."""


@final
@dataclasses.dataclass(frozen=True)
class SimulatedTempering(LocalBackend):
    r"""Chains that walk over inverse temperatures from 0 to the asked one.

    .. math:: P(s, r) \propto e^{g_r - \beta_r E(s)}

    A sweep at the chain's temperature is followed by a draw of r from P(r | s). The weights g come from the
    mean energies on the way up the ladder, then from the shares of the rungs at a falling rate; they are held
    while reads are taken, of which those at the asked temperature have its Boltzmann law for any g. At
    beta = infinity the ladder rises geometrically over the scales of the fields, and the reads relax from
    its end.

    Parameters
    ----------
    rungs
        The number of temperatures.
    chains
        The number of chains, of which about one in ``rungs`` is read at a time.
    burn_in
        The sweeps at each rung on the way up, and then per rung while the weights are learned.
    thinning
        The sweeps between two looks at the chains.

    Raises
    ------
    BackendError
        If chains hardly ever come to the asked temperature.

    Notes
    -----
    Marinari and Parisi, Europhys. Lett. 19, 451 (1992).

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> SimulatedTempering(burn_in=10).sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "simulated-tempering"
    capabilities = Capabilities()

    rungs: int = 10
    chains: int = 512
    burn_in: int = 20
    thinning: int = 10

    def __post_init__(self) -> None:
        for option in ("rungs", "chains", "burn_in", "thinning"):
            positive_integer(option, getattr(self, option))

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        rng, step = request.rng, sweep(request)
        betas = ladder(request.model, request.beta, self.rungs)
        start = random_states(rng, self.chains, request.model.num_variables)
        chains, rungs, weights = tempering.climb(start, betas, self.burn_in, step)
        for done in range(self.burn_in * len(betas)):
            law = tempering.temperature_step(chains, rungs, weights, betas, step, rng)
            weights = tempering.adapted_weights(weights, law, 1 / (done + 1))
        limit = PATIENCE * self.thinning * (1 + request.num_reads * len(betas) / self.chains)
        reads: list[States] = []
        count = steps = 0
        occupied = np.zeros(len(betas))
        while count < request.num_reads:
            if steps > limit:
                raise BackendError(
                    f"{self.name} came to beta = {betas[-1]:g} {count} times in {steps} sweeps of "
                    f"{self.chains} chains, and {request.num_reads} are needed: give more than "
                    f"{self.rungs} rungs, or a longer burn_in than {self.burn_in}"
                )
            for _ in range(self.thinning):
                law = tempering.temperature_step(chains, rungs, weights, betas, step, rng)
                occupied += law.mean(axis=0)
            cold = chains[rungs == len(betas) - 1]
            reads.append(cold)
            count, steps = count + len(cold), steps + self.thinning
        facts = {
            "betas": betas.tolist(),
            "weights": weights.tolist(),
            "shares": (occupied / steps).tolist(),
            "chains": self.chains,
            "sweeps": steps,
        }
        return settled(request, np.concatenate(reads)[: request.num_reads]), facts
