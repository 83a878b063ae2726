"""Parallel tempering as a machine: chains on a ladder of temperatures, read at the asked one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising import (
    Capabilities,
    IsingModel,
    LocalBackend,
    Request,
    gibbs_sweeps,
    tempered_sweep,
    tempering,
)
from rapid_ising.typing import Reals, States
from rapid_ising.validation import positive_integer
from rapid_ising_backends.cooling import ground_state_schedule, random_states

RELAXATION = 20
"""Sweeps at beta = infinity of reads that were asked as ground states."""


@final
@dataclasses.dataclass(frozen=True)
class ParallelTempering(LocalBackend):
    r"""Chains at inverse temperatures from 0 to the asked one, neighbours of which change places.

    After each sweep neighbours are exchanged with probability

    .. math:: \min(1, \exp[(\beta_r - \beta_{r+1}) (E_r - E_{r+1})]),

    which leaves the law of each temperature as it is. At beta = infinity the ladder rises geometrically over
    the scales of the fields, and the reads relax from its end.

    Parameters
    ----------
    rungs
        The number of temperatures. The record has the share of exchanges that took place: more rungs where
        it is below a tenth or so.
    chains
        How many ladders share the reads.
    burn_in
        The sweeps before the first read of a ladder.
    thinning
        The sweeps between two reads of a ladder.

    Notes
    -----
    Swendsen and Wang, Phys. Rev. Lett. 57, 2607 (1986); Hukushima and Nemoto, J. Phys. Soc. Jpn. 65, 1604
    (1996).

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> ParallelTempering(burn_in=10).sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "parallel-tempering"
    capabilities = Capabilities()

    rungs: int = 10
    chains: int = 128
    burn_in: int = 100
    thinning: int = 10

    def __post_init__(self) -> None:
        for option in ("rungs", "chains", "thinning"):
            positive_integer(option, getattr(self, option))
        positive_integer("burn_in", self.burn_in, minimum=0)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        model, rng = request.model, request.rng
        betas = ladder(model, request.beta, self.rungs)
        chains = min(self.chains, request.num_reads)
        replicas = random_states(rng, len(betas), chains, model.num_variables)
        step = sweep(request)
        rounds = -(-request.num_reads // chains)
        reads: list[States] = []
        taken = proposed = 0
        for done in range(self.burn_in + (rounds - 1) * self.thinning + 1):
            swaps = tempering.exchange_step(replicas, betas, done % 2, step, rng)
            taken, proposed = taken + int(swaps.sum()), proposed + swaps.size
            if done >= self.burn_in and (done - self.burn_in) % self.thinning == 0:
                reads.append(replicas[-1].copy())
        facts = {
            "betas": betas.tolist(),
            "chains": chains,
            "burn_in": self.burn_in,
            "thinning": self.thinning,
            "exchanges": taken / proposed if proposed else None,
        }
        return settled(request, np.concatenate(reads)[: request.num_reads]), facts


def ladder(model: IsingModel, beta: float, rungs: int) -> Reals:
    """Return inverse temperatures from 0 up to ``beta``, evenly; to where spins are frozen for infinity."""
    if math.isfinite(beta):
        return np.unique(np.linspace(beta if rungs == 1 else 0.0, beta, rungs))
    rising = np.unique(ground_state_schedule(model, rungs + 1, refresh=False))
    return rising[:-1] if len(rising) > 1 else rising


def sweep(request: Request) -> tempering.Step:
    """Return a step of chains for ``tempering``: one Gibbs sweep of the request's model."""

    def step(chains: States, betas: Reals) -> tuple[States, Reals]:
        return tempered_sweep(request.model, chains, betas, request.rng, request.deadline)

    return step


def settled(request: Request, reads: States) -> States:
    """Return the reads, relaxed to local minima where ground states were asked."""
    if math.isfinite(request.beta):
        return reads
    return gibbs_sweeps(request.model, reads, RELAXATION, request.beta, request.rng, request.deadline)
