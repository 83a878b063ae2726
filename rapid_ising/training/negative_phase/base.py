"""Where the model's averages come from: the negative phase of the gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from rapid_ising.models import Model
from rapid_ising.models.statistics import Statistics
from rapid_ising.typing import Floats


class NegativePhase(ABC):
    """An estimate of the model's averages, of spins and of products of coupled spins, at beta = 1."""

    name: ClassVar[str]

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:
        """Check that the method fits the model and set up what it keeps from update to update."""

    @abstractmethod
    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:
        """Return the model's averages; ``chains`` are those of the positive phase, at the data."""

    def state(self) -> dict[str, Floats]:
        """Return what it keeps from update to update, as arrays by name."""
        return {}

    def restore(self, state: dict[str, Floats]) -> None:
        """Take back what ``state`` returned."""

    def measured(self) -> dict[str, float]:
        """Return what it measured since it was last asked, for the record of an epoch."""
        return {}

    def origin(self) -> dict[str, Any]:
        """Return where its samples come from, as JSON values: a machine, and whether it is a real one."""
        return {}
