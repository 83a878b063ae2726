"""Contrastive divergence: short Gibbs chains from the data, or long ones of their own."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.arrays import to_numpy
from rapid_ising.models import Model
from rapid_ising.models.statistics import Statistics
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats
from rapid_ising.validation import positive_integer


@final
@dataclasses.dataclass
class ContrastiveDivergence(NegativePhase):
    """CD-k: k Gibbs steps from the data of the same update.

    Hinton, Neural Computation 14, 1771 (2002).

    Parameters
    ----------
    k
        The steps v -> h -> v.

    Examples
    --------
    >>> ContrastiveDivergence(k=10)
    ContrastiveDivergence(k=10)
    """

    name: ClassVar[str] = "cd"

    k: int = 10

    def __post_init__(self) -> None:
        positive_integer("k", self.k)

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        return model.statistics(model.gibbs_step(chains, 1.0, rng, self.k))


@final
@dataclasses.dataclass
class PersistentContrastiveDivergence(NegativePhase):
    """PCD-k: chains of their own, started at random, that go on for k Gibbs steps at each update.

    Tieleman, ICML (2008).

    Parameters
    ----------
    k
        The steps v -> h -> v at each update.
    chains
        The number of chains.

    Examples
    --------
    >>> PersistentContrastiveDivergence(k=10, chains=2048)
    PersistentContrastiveDivergence(k=10, chains=2048)
    """

    name: ClassVar[str] = "pcd"

    k: int = 10
    chains: int = 128
    _chains: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positive_integer("k", self.k)
        positive_integer("chains", self.chains)

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        self._chains = model.random_chains(self.chains, rng)

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        self._chains = model.gibbs_step(self._chains, 1.0, rng, self.k)
        return model.statistics(self._chains)

    def state(self) -> dict[str, Floats]:  # noqa: D102
        return {"chains": np.array(to_numpy(self._chains))}

    def restore(self, state: dict[str, Floats]) -> None:  # noqa: D102
        self._chains = state["chains"].copy()
