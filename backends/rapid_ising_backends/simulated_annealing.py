"""Simulated annealing with dwave-neal, ending at the asked temperature instead of as cold as it can."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self, final

import neal
import numpy as np
import numpy.typing as npt

from rapid_ising import Capabilities, IsingModel, LocalBackend, Request, noted_interrupts
from rapid_ising.typing import States
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass(frozen=True)
class SimulatedAnnealing(LocalBackend):
    r"""neal's annealer, each read cooled from hot to the asked beta and held there.

    The schedule rises linearly from 0 to beta in the first 1 - ``hold`` of the sweeps and stays at beta for
    the rest. Left to itself neal ends far colder than any asked temperature, so that it returns local
    minima. Reads that start from given states spend every sweep at beta: heat would erase the start. At
    beta = infinity the schedule rises geometrically over the scales of the fields, to where they are frozen.
    A deadline is looked at between reads.

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
        refresh = request.initial_states is not None
        if math.isfinite(request.beta):
            schedule = self.schedule(request.beta, refresh)
        else:
            schedule = ground_state_schedule(request.model, self.num_sweeps, refresh)
        start = request.initial_states
        if start is None:
            start = (2 * rng.integers(2, size=(request.num_reads, model.num_variables)) - 1).astype(np.int8)
        with noted_interrupts() as noted:
            answer = neal.SimulatedAnnealingSampler().sample(
                model.to_bqm(),
                beta_schedule=schedule,
                beta_schedule_type="custom",
                num_reads=request.num_reads,
                seed=int(rng.integers(2**31)),
                initial_states=(start, list(range(model.num_variables))),
                proposal_acceptance_criteria="Gibbs",
                interrupt_function=lambda: bool(noted) or request.deadline.passed,
            )
        request.deadline.check(self.name)
        facts = {"num_sweeps": self.num_sweeps, "beta_range": [float(schedule[0]), float(schedule[-1])]}
        return answer.record.sample, facts


def ground_state_schedule(model: IsingModel, num_sweeps: int, refresh: bool) -> npt.NDArray[np.float64]:
    """Return inverse temperatures from where the largest local field is weak to where small ones are frozen.

    They rise geometrically, since a search needs its sweeps spread over the scales of the fields; the last
    tenth lets each spin fall into its field. Coefficients below a millionth of the largest are residues of
    arithmetic and say nothing of the scales.
    """
    rows, columns, values = model.couplings.to_coo()
    total = np.abs(model.fields).astype(np.float64)
    np.add.at(total, rows, np.abs(values))
    np.add.at(total, columns, np.abs(values))
    sizes = np.abs(np.concatenate([model.fields, values]))
    sizes = sizes[sizes > 1e-6 * sizes.max(initial=0.0)]
    if not sizes.size:
        return np.ones(num_sweeps)
    hot = math.log(2) / (2 * total.max())
    cold = max(math.log(100) / (2 * float(np.quantile(sizes, 0.05))), 2 * hot)
    frozen = np.full(num_sweeps if refresh else max(1, num_sweeps // 10), 1e3 * cold)
    return np.concatenate([np.geomspace(hot, cold, num_sweeps - len(frozen)), frozen])
