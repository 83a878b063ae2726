"""The exact machine: independent draws from the Boltzmann law of a small model, by enumeration."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

from rapid_ising import Capabilities, LocalBackend, Request, check_enumerable, enumerate_model
from rapid_ising.typing import States


@final
@dataclasses.dataclass(frozen=True)
class Exact(LocalBackend):
    """True Boltzmann samples of a model that can be enumerated; its ground states at beta = infinity.

    Takes up to 26 spins, and bipartite models whose smaller layer has up to 22.

    Raises
    ------
    ProblemTooLargeError
        If the model is larger than that.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> Exact().sample(IsingModel([1.0], [[0.0]]), beta=float("inf")).first.energy
    np.float64(-1.0)
    """

    name: ClassVar[str] = "exact"
    capabilities = Capabilities(exact=True)

    def _check(self, request: Request) -> None:
        check_enumerable(request.model)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        law = enumerate_model(request.model, request.beta, request.deadline)
        facts = {"ground_energy": law.ground_energy}
        if math.isfinite(request.beta):
            facts["log_partition"] = law.log_partition
        return law.sample(request.num_reads, request.rng), facts
