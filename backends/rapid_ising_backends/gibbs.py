"""The Gibbs sampler as a machine: chains at the asked temperature, block by block where they can be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self, final

import numpy as np

from rapid_ising import Capabilities, LocalBackend, Request, gibbs_chains
from rapid_ising.typing import States
from rapid_ising.validation import positive_integer


@final
@dataclasses.dataclass(frozen=True)
class Gibbs(LocalBackend):
    """Gibbs sampling at a constant temperature: by layers when the model is bipartite, else spin by spin.

    Chains start at random states, or at the given ones. At beta = infinity each chain relaxes to a local
    minimum.

    Parameters
    ----------
    burn_in
        The sweeps before the first read of a chain.
    thinning
        The sweeps between two reads of a chain.
    chains
        How many chains share the reads; None gives each read a chain of its own, as do given states.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> Gibbs(burn_in=10).sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "gibbs"
    capabilities = Capabilities(initial_states=True)

    burn_in: int = 200
    thinning: int = 1
    chains: int | None = None

    def __post_init__(self) -> None:
        positive_integer("burn_in", self.burn_in, minimum=0)
        positive_integer("thinning", self.thinning)
        if self.chains is not None:
            positive_integer("chains", self.chains)

    def for_refresh(self, sweeps: int) -> Self:
        """Return this sampler with a burn-in of ``sweeps``."""
        return dataclasses.replace(self, burn_in=sweeps)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        model = request.model
        if request.initial_states is None:
            chains = min(self.chains or request.num_reads, request.num_reads)
            shape = (chains, model.num_variables)
            states = (2 * request.rng.integers(2, size=shape) - 1).astype(np.int8)
        else:
            chains = request.num_reads
            states = request.initial_states
        sweeps = [self.burn_in] + [self.thinning] * (-(-request.num_reads // chains) - 1)
        reads, update = gibbs_chains(model, states, sweeps, request.beta, request.rng, request.deadline)
        facts = {
            "update": update,
            "burn_in": self.burn_in,
            "thinning": self.thinning,
            "chains": chains,
        }
        return reads[: request.num_reads], facts
