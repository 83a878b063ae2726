"""Pattern-induced correlations: the paper's negative phase."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, final

import numpy as np

from rapid_ising.arrays import namespace, rows, to_numpy
from rapid_ising.errors import InvalidParameterError
from rapid_ising.models import Model, pattern_model
from rapid_ising.models.statistics import Statistics
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats
from rapid_ising.validation import finite, positive_integer


@final
@dataclasses.dataclass
class PatternCorrelations(NegativePhase):
    r"""The model's averages, taken over its own patterns.

    .. math:: \langle h_a v_i \rangle \approx \frac{1}{K} \sum_k \tanh(x_a(\sigma^k)) \, \sigma^k_i,
              \quad \sigma^k_i = \mathrm{sign}\, \xi^k_i

    Eq. 2 of arXiv:1910.01592, with the hidden spins relaxed to their means as in the authors' program: the
    patterns' own hidden halves are a worse estimate. With Gibbs steps the patterns only are where chains
    start, anew at each update. Where only a share of the chains does and the others go on, the estimate is
    that of persistent chains, which patterns keep from staying behind in states that the model has left.

    Parameters
    ----------
    gibbs_steps
        The steps v -> h -> v from the patterns; 0 is the paper.
    chains
        How many chains start at each pattern; more than one needs Gibbs steps to differ.
    restart
        The share of the chains that start anew at each update, each at a random pattern: 1 is all, in turn,
        and 0 none, so that chains never come back to the patterns.
    num_chains
        The number of chains, starting at random patterns, in place of ``chains``.

    Raises
    ------
    InvalidParameterError
        If the model has no patterns, or chains that go on have no Gibbs steps.

    Examples
    --------
    >>> PatternCorrelations(gibbs_steps=5)
    PatternCorrelations(gibbs_steps=5, chains=1, restart=1.0, num_chains=None)
    """

    name: ClassVar[str] = "patterns"

    gibbs_steps: int = 0
    chains: int = 1
    restart: float = 1.0
    num_chains: int | None = None
    _chains: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positive_integer("gibbs_steps", self.gibbs_steps, minimum=0)
        positive_integer("chains", self.chains)
        if self.num_chains is not None:
            positive_integer("num_chains", self.num_chains)
            if self.chains != 1:
                raise InvalidParameterError(
                    f"chains={self.chains} at each pattern and num_chains={self.num_chains} in all exclude "
                    "each other: give one of them"
                )
        finite("restart", self.restart, minimum=0, maximum=1)
        if self.restart < 1 and not self.gibbs_steps:
            raise InvalidParameterError("chains that go on would never move: give gibbs_steps of 1 or more")

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        pattern_model(model, "pattern-induced correlations")
        self._chains = None

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        states = model.gibbs_step(self._begun(model, rng), 1.0, rng, self.gibbs_steps)
        if self.restart < 1:
            self._chains = states
        return model.statistics(states)

    def _begun(self, model: Model, rng: np.random.Generator) -> Floats:
        """Return where the chains of this update begin."""
        begun: Floats
        if self._chains is not None and self.restart == 0:
            begun = self._chains
            return begun
        patterns = pattern_model(model, self.name).states()
        count = patterns.shape[0]
        if self._chains is None:
            if self.num_chains is None and self.chains == 1:
                return patterns
            if self.num_chains is None:
                return rows(patterns, np.repeat(np.arange(count), self.chains))
            return rows(patterns, rng.integers(count, size=self.num_chains))
        again = rng.random(self._chains.shape[0]) < self.restart
        chosen = rows(patterns, rng.integers(count, size=len(again)))
        put = model.place.put
        begun = namespace(chosen).where(put(again[:, np.newaxis]), chosen, put(self._chains))
        return begun

    def state(self) -> dict[str, Floats]:  # noqa: D102
        return {} if self._chains is None else {"chains": np.array(to_numpy(self._chains))}

    def restore(self, state: dict[str, Floats]) -> None:  # noqa: D102
        self._chains = state["chains"].copy() if "chains" in state else None
