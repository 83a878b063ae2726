"""The exact negative phase of a small model, by enumeration."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, final

import numpy as np

from rapid_ising.enumeration import check_enumerable, enumerate_model
from rapid_ising.models import Model
from rapid_ising.models.statistics import MomentStatistics, Statistics
from rapid_ising.training.negative_phase.base import NegativePhase
from rapid_ising.typing import Floats


@final
@dataclasses.dataclass
class ExactExpectation(NegativePhase):
    """The model's averages by summing over every state, one layer summed out where there are layers.

    Raises
    ------
    ProblemTooLargeError
        If there are more than 26 spins, and more than 22 in the smaller of two layers; the odd and the even
        layers of a deep machine make two.

    Examples
    --------
    >>> ExactExpectation()
    ExactExpectation()
    """

    name: ClassVar[str] = "exact"

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        check_enumerable(model.ising())

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        # Two layers need no other pairs than those between them.
        moments = enumerate_model(model.ising()).moments(whole=len(model.layers) != 2)
        means = model.place.put(moments.means.astype(model.dtype))
        pairs = model.place.put(moments.pairs.astype(model.dtype))
        return MomentStatistics(means, pairs, model.layers)
