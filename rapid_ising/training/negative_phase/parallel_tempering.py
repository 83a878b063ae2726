"""Parallel tempering: chains at several temperatures that change places, so that the cold ones mix."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.arrays import to_numpy
from rapid_ising.errors import InvalidParameterError
from rapid_ising.models import Model
from rapid_ising.models.statistics import Statistics
from rapid_ising.tempering import exchange_step
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats, Reals
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass
class ParallelTempering(NegativePhase):
    r"""Persistent chains at a ladder of inverse temperatures, of which those at beta = 1 are used.

    After the Gibbs steps of each update neighbours on the ladder change places with probability

    .. math:: \min(1, \exp[(\beta_r - \beta_{r+1}) (E_r - E_{r+1})]),

    even and odd pairs in turn, which leaves the law of each temperature as it is. Hot chains cross barriers,
    and their states come down the ladder. Swendsen and Wang, Phys. Rev. Lett. 57, 2607 (1986); for RBMs
    Desjardins et al., AISTATS (2010). Reference 8 of arXiv:1910.01592.

    Parameters
    ----------
    betas
        How many temperatures, evenly spaced in beta from 0 to 1, or the increasing inverse temperatures
        themselves, the last one 1.
    chains
        The number of chains at each temperature.
    steps
        The Gibbs steps v -> h -> v at each update.

    Examples
    --------
    >>> ParallelTempering(betas=[0.5, 1.0], chains=10).ladder
    array([0.5, 1. ])
    """

    name: ClassVar[str] = "parallel-tempering"

    betas: int | Sequence[float] = 10
    chains: int = 64
    steps: int = 1
    accepted: float = dataclasses.field(default=0.0, init=False, repr=False, compare=False)
    """The share of the last update's proposed exchanges that took place."""
    _chains: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _parity: int = dataclasses.field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positive_integer("chains", self.chains)
        positive_integer("steps", self.steps)
        if isinstance(self.betas, Sequence):
            for beta in self.betas:
                finite("each of betas", beta, minimum=0, maximum=1)
            if len(self.betas) < 2 or self.betas[-1] != 1 or (np.diff(self.betas) <= 0).any():
                raise InvalidParameterError(
                    f"betas must be two or more increasing numbers that end at 1, not {list(self.betas)}"
                )
        else:
            positive_integer("betas", self.betas, minimum=2)

    @property
    def ladder(self) -> Reals:
        """The inverse temperatures, increasing to 1."""
        if isinstance(self.betas, Sequence):
            return np.array(self.betas, dtype=np.float64)
        return np.linspace(0.0, 1.0, self.betas)

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        self._chains = model.random_chains((len(self.ladder), self.chains), rng)
        self._parity = 0

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        step = partial(model.tempered_step, rng=rng)
        self._chains = model.place.put(self._chains)
        for _ in range(self.steps):
            swaps = exchange_step(self._chains, self.ladder, self._parity, step, rng)
            self._parity = 1 - self._parity
            if swaps.size:
                self.accepted = float(swaps.mean())
        return model.statistics(self._chains[-1, ...])

    def state(self) -> dict[str, Floats]:  # noqa: D102
        return {"chains": np.array(to_numpy(self._chains)), "parity": np.array([self._parity], np.float64)}

    def restore(self, state: dict[str, Floats]) -> None:  # noqa: D102
        self._chains = state["chains"].copy()
        self._parity = int(state["parity"][0])
