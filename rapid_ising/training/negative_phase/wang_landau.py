"""Wang-Landau sampling: walkers spread evenly over all energies, reweighted to beta = 1."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.evaluation.density_of_states import EnergyWalk
from rapid_ising.models import Model
from rapid_ising.models.statistics import Statistics
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass
class WangLandau(NegativePhase):
    r"""The model's averages over walkers on its energies, which no barrier between energies holds.

    Walkers flip single spins of the model's whole Ising problem with probability min(1, g(E) / g(E')), where
    g estimates the density of states; their states are visited as 1 / g(E) and have the weights

    .. math:: w(s) \propto g(E(s)) \, e^{-E(s)}

    under the model. Rows are drawn by these weights. Energies above those of random states, which no positive
    temperature prefers, make one bin.

    Before training g comes from the method of Wang and Landau, its factor falling as the histogram gets flat.
    As the model trains, g changes slowly: each update first moves the walkers with the final factor, which
    lets g follow, and then with g held, so that the weights are right for any g. Wang and Landau, Phys. Rev.
    Lett. 86, 2050 (2001), reference 9 of arXiv:1910.01592.

    It works for tens of spins. The walkers are spread over all energies from random states to ground states,
    so that few of them lie where the model's probability is: see ``effective_sample_size``. A sweep costs
    the square of the number of all spins, the hidden ones included.

    Parameters
    ----------
    walkers
        The number of walkers.
    steps
        The sweeps that adapt g at each update.
    reads
        The sweeps with g held after these, each of which gives a state of each walker.
    width
        The width of a bin of energy, in units of the temperature.
    final_factor
        The logarithm of the factor by which a visit changes g while the model trains.
    burn_in
        The most sweeps before training.

    Raises
    ------
    ProblemTooLargeError
        If the model has more than 2048 spins.

    Examples
    --------
    >>> WangLandau(walkers=128, reads=20)
    WangLandau(walkers=128, steps=20, reads=20, width=1.0, final_factor=0.01, burn_in=10000)
    """

    name: ClassVar[str] = "wang-landau"

    walkers: int = 64
    steps: int = 20
    reads: int = 20
    width: float = 1.0
    final_factor: float = 1e-2
    burn_in: int = 10_000
    effective_sample_size: float = dataclasses.field(default=0.0, init=False, repr=False, compare=False)
    """(sum w)^2 / sum w^2 over the states of the last update."""
    _states: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _log_density: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for option in ("walkers", "steps", "reads", "burn_in"):
            positive_integer(option, getattr(self, option))
        finite("width", self.width, minimum=0, exclusive=True)
        finite("final_factor", self.final_factor, minimum=0, maximum=1, exclusive=True)

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        problem = model.ising()
        # The mean energy of all states is the offset, which is left out here.
        walk = EnergyWalk(problem, self.width, highest=0.0)
        shape = (self.walkers, problem.num_variables)
        self._states = (2 * rng.integers(2, size=shape) - 1).astype(np.int8)
        walk.flatten(self._states, self.final_factor, 0.8, rng, most=self.burn_in)
        self._log_density = walk.log_density

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        problem = model.ising()
        walk = EnergyWalk(problem, self.width, 0.0, self._log_density)
        self._states = self._states.copy()
        walk.move(self._states, self.steps, self.final_factor, rng)
        rounds = []
        for _ in range(self.reads):
            walk.move(self._states, 1, 0.0, rng)
            rounds.append(self._states.copy())
        self._log_density = walk.log_density
        states = np.concatenate(rounds)
        energies = problem.energies(states) - problem.offset
        log_weights = walk.log_density[walk.bins(energies)] - energies
        weights = np.exp(log_weights - log_weights.max())
        weights /= weights.sum()
        self.effective_sample_size = float(1 / np.square(weights).sum())
        return model.statistics(states[:, model.carried].astype(model.dtype)).weighted(weights)

    def state(self) -> dict[str, Floats]:  # noqa: D102
        return {"states": self._states.astype(np.float64), "log_density": self._log_density.copy()}

    def restore(self, state: dict[str, Floats]) -> None:  # noqa: D102
        self._states = state["states"].astype(np.int8)
        self._log_density = state["log_density"].copy()
