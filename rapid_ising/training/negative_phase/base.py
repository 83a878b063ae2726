"""Where the model's averages come from: the negative phase of the gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
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
        """Return where its samples come from, as JSON values: ``machines``, see ``machines_of``."""
        return {}


def machines_of(*origins: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each machine that origins name, once, with all that they say of it.

    It has a ``name``, and where the samples were none of its own, ``emulated``, what an emulator said that it
    is, or ``twin``, the name of the digital twin that computed them.

    Examples
    --------
    >>> machines_of({"machines": [{"name": "cim", "emulated": "x"}]}, {"machines": [{"name": "cim"}]}, {})
    [{'name': 'cim', 'emulated': 'x'}]
    """
    found: dict[str, dict[str, Any]] = {}
    for origin in origins:
        for told in origin.get("machines", _of_one(origin)):
            found.setdefault(told["name"], {}).update(told)
    return list(found.values())


def _of_one(origin: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the machine of an origin that was written when there was one alone, twins told by their name."""
    if "machine" not in origin:
        return []
    name = str(origin["machine"])
    labels = {"emulated": origin.get("emulated"), "twin": name if name.startswith("twin-") else None}
    return [{"name": name, **{label: value for label, value in labels.items() if value is not None}}]
