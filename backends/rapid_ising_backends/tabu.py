"""Tabu search with dwave-samplers: an optimiser that walks on from local minima and does not walk back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, final

from dwave.samplers import TabuSampler

from rapid_ising import Capabilities, LocalBackend, Request
from rapid_ising.typing import States
from rapid_ising.validation import positive_integer
from rapid_ising_backends.asking import ask


@final
@dataclasses.dataclass(frozen=True)
class Tabu(LocalBackend):
    """Tabu search: the best flip that is not forbidden, flips of the last ``tenure`` steps being forbidden.

    Each read is the best state of a search of its own. A search ends after a number of steps and never by the
    clock, so that a seed fixes it. It obeys no temperature: reads are low energies, whatever beta is asked.

    Parameters
    ----------
    steps
        The flips of a search, for each spin of the problem; at least 1000 flips are made.
    restarts
        How often a search starts again, a quarter as long, from its best state with some spins flipped.
    tenure
        How many flips a spin that was flipped stays; None takes a quarter of the spins, 20 at most.

    Notes
    -----
    Palubeckis, Ann. Oper. Res. 131, 259 (2004); dwave-samplers' implementation.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> Tabu().sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "tabu"
    capabilities = Capabilities(temperature="none", initial_states=True)

    steps: int = 100
    restarts: int = 3
    tenure: int | None = None

    def __post_init__(self) -> None:
        positive_integer("steps", self.steps)
        positive_integer("restarts", self.restarts, minimum=0)
        if self.tenure is not None:
            positive_integer("tenure", self.tenure, minimum=0)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        largest = request.model.num_variables - 1
        tenure = min(20, largest // 4) if self.tenure is None else min(self.tenure, largest)
        parameters = {
            "timeout": None,
            "num_restarts": self.restarts,
            "tenure": tenure,
            "coefficient_z_first": self.steps,
            "coefficient_z_restart": max(1, self.steps // 4),
            "lower_bound_z": 1000,
        }
        sampler = TabuSampler()  # type: ignore[no-untyped-call]
        states, _ = ask(sampler, request, parameters, initial_states=True)
        return states, {"steps": self.steps, "restarts": self.restarts, "tenure": tenure}
