"""Simulated tempering: each chain walks over a ladder of temperatures, and is read when it is at beta = 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.arrays import concatenated, copied, rows, to_numpy
from rapid_ising.errors import InvalidParameterError
from rapid_ising.models import Model
from rapid_ising.models.statistics import Statistics
from rapid_ising.tempering import adapted_weights, climb, temperature_step
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.training.negative_phase.parallel_tempering import ParallelTempering
from rapid_ising.typing import Floats, Reals
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass
class SimulatedTempering(NegativePhase):
    r"""Persistent chains whose inverse temperature is a random variable too, on a ladder of R values.

    .. math:: P(s, r) \propto e^{g_r - \beta_r E(s)}, \quad
              P(r | s) = \frac{e^{g_r - \beta_r E(s)}}{\sum_q e^{g_q - \beta_q E(s)}}

    A Gibbs step at the chain's temperature is followed by a draw of r from P(r | s). All temperatures are
    equally likely where g_r = -log Z(beta_r); states read at beta = 1 have the model's law for any g. The
    weights are learned: before training from the mean energies, as d(-log Z) / d beta = <E>, then by

    .. math:: g_r \leftarrow g_r - \gamma_t \min\left( R \, \overline{P(r | s)} - 1, 1 \right)

    after each step t, with averages over the chains and a rate of 1 / t that stays once it is down at
    ``rate``. Marinari and Parisi, Europhys. Lett. 19, 451 (1992), reference 7 of arXiv:1910.01592; the
    averages of P(r | s), Tan, J. Comput. Graph. Stat. 26, 54 (2017).

    Parameters
    ----------
    betas
        How many temperatures, evenly spaced in beta from 0 to 1, or the increasing inverse temperatures
        themselves, the last one 1.
    chains
        The number of chains.
    reads
        The states at beta = 1 that make an update: steps are taken until there are as many.
    rate
        The rate at which g follows the model as it trains.
    burn_in
        The steps at each temperature before training.
    max_steps
        The most steps of one update.

    Raises
    ------
    InvalidParameterError
        If an option is out of its range, or if ``max_steps`` are not enough.

    Examples
    --------
    >>> SimulatedTempering(betas=5, chains=20, reads=100).reads
    100
    """

    name: ClassVar[str] = "simulated-tempering"

    betas: int | Sequence[float] = 10
    chains: int = 128
    reads: int = 256
    rate: float = 0.1
    burn_in: int = 20
    max_steps: int = 1000
    steps: int = dataclasses.field(default=0, init=False, repr=False, compare=False)
    """The steps of the last update."""
    _chains: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _rungs: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _weights: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _steps: int = dataclasses.field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for option in ("chains", "reads", "burn_in", "max_steps"):
            positive_integer(option, getattr(self, option))
        finite("rate", self.rate, minimum=0, maximum=1, exclusive=True)
        _ = self.ladder

    @property
    def ladder(self) -> Reals:
        """The inverse temperatures, increasing to 1."""
        return ParallelTempering(self.betas).ladder

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        step = partial(model.tempered_step, rng=rng)
        chains = model.random_chains(self.chains, rng)
        self._chains, self._rungs, self._weights = climb(chains, self.ladder, self.burn_in, step)
        self._steps = 0

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        ladder = self.ladder
        coldest = len(ladder) - 1
        step = partial(model.tempered_step, rng=rng)
        self._chains, self._rungs = copied(model.place.put(self._chains)), self._rungs.copy()
        found: list[Floats] = []
        count = self.steps = 0
        while count < self.reads:
            if self.steps == self.max_steps:
                raise InvalidParameterError(
                    f"simulated tempering came to beta = 1 {count} times in {self.steps} steps of "
                    f"{self.chains} chains, and {self.reads} are needed: give more than {len(ladder)} betas"
                )
            law = temperature_step(self._chains, self._rungs, self._weights, ladder, step, rng)
            cold = np.flatnonzero(self._rungs == coldest)
            found.append(rows(self._chains, cold))
            count += len(cold)
            self.steps += 1
            self._steps += 1
            self._weights = adapted_weights(self._weights, law, max(1 / self._steps, self.rate))
        return model.statistics(concatenated(found))

    def state(self) -> dict[str, Floats]:  # noqa: D102
        return {
            "chains": np.array(to_numpy(self._chains)),
            "rungs": self._rungs.astype(np.float64),
            "weights": self._weights.copy(),
            "steps": np.array([self._steps], np.float64),
        }

    def restore(self, state: dict[str, Floats]) -> None:  # noqa: D102
        self._chains = state["chains"].copy()
        self._rungs = state["rungs"].astype(np.intp)
        self._weights = state["weights"].copy()
        self._steps = int(state["steps"][0])
