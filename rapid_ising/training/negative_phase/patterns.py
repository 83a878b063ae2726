"""Pattern-induced correlations: the paper's negative phase."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, final

import numpy as np

from rapid_ising.models import Model, pattern_model
from rapid_ising.models.statistics import Statistics
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats
from rapid_ising.validation import positive_integer


@final
@dataclasses.dataclass
class PatternCorrelations(NegativePhase):
    r"""The model's averages, taken over its own patterns.

    .. math:: \langle h_a v_i \rangle \approx \frac{1}{K} \sum_k \tanh(x_a(\sigma^k)) \, \sigma^k_i,
              \quad \sigma^k_i = \mathrm{sign}\, \xi^k_i

    Eq. 2 of arXiv:1910.01592, with the hidden spins relaxed to their means as in the authors' program: the
    patterns' own hidden halves are a worse estimate. With Gibbs steps the patterns only are where chains
    start, anew at each update.

    Parameters
    ----------
    gibbs_steps
        The steps v -> h -> v from the patterns; 0 is the paper.
    chains
        How many chains start at each pattern; more than one needs Gibbs steps to differ.

    Raises
    ------
    InvalidParameterError
        If the model has no patterns.

    Examples
    --------
    >>> PatternCorrelations(gibbs_steps=5)
    PatternCorrelations(gibbs_steps=5, chains=1)
    """

    name: ClassVar[str] = "patterns"

    gibbs_steps: int = 0
    chains: int = 1

    def __post_init__(self) -> None:
        positive_integer("gibbs_steps", self.gibbs_steps, minimum=0)
        positive_integer("chains", self.chains)

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        pattern_model(model, "pattern-induced correlations")

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        states = pattern_model(model, self.name).states()
        if self.chains > 1:
            states = np.repeat(states, self.chains, axis=0)
        return model.statistics(model.gibbs_step(states, 1.0, rng, self.gibbs_steps))
