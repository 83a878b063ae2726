"""Steepest descent with dwave-samplers: an optimiser that stops at the first local minimum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, final

from dwave.samplers import SteepestDescentSampler

from rapid_ising import Capabilities, LocalBackend, Request, Sparse
from rapid_ising.typing import States
from rapid_ising_backends.asking import ask


@final
@dataclasses.dataclass(frozen=True)
class SteepestDescent(LocalBackend):
    """Flips of the spin that lowers the energy most, until none does.

    Each read is a local minimum, from a random or a given state. It obeys no temperature: reads are low
    energies, whatever beta is asked.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> SteepestDescent().sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "steepest-descent"
    capabilities = Capabilities(temperature="none", initial_states=True)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        # A search tree for the next spin pays where a flip changes few fields.
        parameters = {"large_sparse_opt": isinstance(request.model.couplings, Sparse)}
        sampler = SteepestDescentSampler()  # type: ignore[no-untyped-call]
        states, _ = ask(sampler, request, parameters, initial_states=True)
        return states, {}
