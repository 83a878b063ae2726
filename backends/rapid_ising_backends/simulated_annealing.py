"""Simulated annealing with dwave-neal, ending at the asked temperature instead of as cold as it can."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self, final

import neal
import numpy as np
import numpy.typing as npt

from rapid_ising import Capabilities, LocalBackend, Request
from rapid_ising.typing import States
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass(frozen=True)
class SimulatedAnnealing(LocalBackend):
    r"""neal's annealer, each read cooled from hot to the asked beta and held there.

    The schedule rises linearly from 0 to beta in the first 1 - ``hold`` of the sweeps and stays at beta for
    the rest. Left to itself neal ends far colder than any asked temperature, so that it returns local
    minima. Reads that start from given states spend every sweep at beta: heat would erase the start. At
    beta = infinity the schedule runs to a temperature at which the smallest energy step is frozen.

    Proposals are accepted by the heat-bath rule; neal's default in fixed order, Metropolis, always flips a
    spin whose flip costs nothing and so never mixes some small models.

    Parameters
    ----------
    num_sweeps
        The sweeps of each read.
    hold
        The share of the sweeps at the asked beta, at the end.

    Notes
    -----
    Kirkpatrick, Gelatt, Vecchi, Science 220, 671 (1983).

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> SimulatedAnnealing().sample(IsingModel([9.0], [[0.0]]), seed=0).first.sample
    {0: np.int8(-1)}
    """

    name: ClassVar[str] = "simulated-annealing"
    capabilities = Capabilities(initial_states=True)

    num_sweeps: int = 1000
    hold: float = 0.2

    def __post_init__(self) -> None:
        positive_integer("num_sweeps", self.num_sweeps)
        finite("hold", self.hold, minimum=0, maximum=1)

    def for_refresh(self, sweeps: int) -> Self:
        """Return this annealer with ``sweeps`` sweeps, all at the asked beta when the start is given."""
        return dataclasses.replace(self, num_sweeps=sweeps)

    def schedule(self, beta: float, refresh: bool) -> npt.NDArray[np.float64]:
        """Return the inverse temperature of each sweep."""
        if refresh:
            return np.full(self.num_sweeps, beta)
        held = max(1, round(self.hold * self.num_sweeps))
        rising = np.linspace(0.0, beta, self.num_sweeps - held, endpoint=False)
        return np.concatenate([rising, np.full(held, beta)])

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        rng, model = request.rng, request.model
        cold = request.beta if math.isfinite(request.beta) else frozen_beta(request)
        schedule = self.schedule(cold, request.initial_states is not None)
        if math.isinf(request.beta) and request.initial_states is None:
            # Geometric: a search for ground states needs most of its sweeps where spins freeze, not hot.
            schedule = np.geomspace(cold * 1e-4, cold, self.num_sweeps)
        start = request.initial_states
        if start is None:
            start = (2 * rng.integers(2, size=(request.num_reads, model.num_variables)) - 1).astype(np.int8)
        answer = neal.SimulatedAnnealingSampler().sample(
            model.to_bqm(),
            beta_schedule=schedule,
            beta_schedule_type="custom",
            num_reads=request.num_reads,
            seed=int(rng.integers(2**31)),
            initial_states=(start, list(range(model.num_variables))),
            proposal_acceptance_criteria="Gibbs",
            interrupt_function=lambda: request.deadline.passed,
        )
        request.deadline.check(self.name)
        facts = {
            "num_sweeps": self.num_sweeps,
            "beta_range": [float(schedule[0]), float(schedule[-1])],
        }
        return answer.record.sample, facts


def frozen_beta(request: Request) -> float:
    """Return an inverse temperature at which a typical field holds its spin against all odds."""
    _, _, values = request.model.couplings.to_coo()
    sizes = np.abs(np.concatenate([request.model.fields, values]))
    sizes = sizes[sizes > 0]
    return 1.0 if not sizes.size else float(10.0 / np.quantile(sizes, 0.05))
