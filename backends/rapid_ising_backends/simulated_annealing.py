"""Simulated annealing with dwave-neal, ending at the asked temperature instead of as cold as it can."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

import neal

from rapid_ising import Capabilities, Request, noted_interrupts
from rapid_ising.typing import States
from rapid_ising_backends.cooling import Cooled, ground_state_schedule, random_states


@final
@dataclasses.dataclass(frozen=True)
class SimulatedAnnealing(Cooled):
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

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        rng, model = request.rng, request.model
        refresh = request.initial_states is not None
        if math.isfinite(request.beta):
            schedule = self.schedule(request.beta, refresh)
        else:
            schedule = ground_state_schedule(request.model, self.num_sweeps, refresh)
        start = request.initial_states
        if start is None:
            start = random_states(rng, request.num_reads, model.num_variables)
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
