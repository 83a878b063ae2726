"""A mixture: the average of several negative phases."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, cast, final

import numpy as np

from rapid_ising.errors import InvalidParameterError
from rapid_ising.models import Model
from rapid_ising.models.statistics import MixedStatistics, Statistics
from rapid_ising.training.negative_phase.backend_samples import USE
from rapid_ising.training.negative_phase.base import NegativePhase, machines_of
from rapid_ising.typing import Floats
from rapid_ising.validation import finite


@final
@dataclasses.dataclass
class Mixture(NegativePhase):
    r"""The average of what several methods find, each with its share.

    .. math:: \langle \cdot \rangle = \sum_m p_m \langle \cdot \rangle_m, \quad \sum_m p_m = 1

    Parameters
    ----------
    phases
        The methods, each by name or as an object.
    shares
        The share of each, positive, together 1; left out, they are equal.

    Raises
    ------
    InvalidParameterError
        If there are no phases, or the shares do not fit them.

    Examples
    --------
    >>> Mixture(["exact", "cd"], [0.25, 0.75])
    Mixture(phases=[ExactExpectation(), ContrastiveDivergence(k=10)], shares=[0.25, 0.75])
    """

    name: ClassVar[str] = "mixture"

    phases: Sequence[str | NegativePhase]
    shares: Sequence[float] | None = None
    _parts: Any = dataclasses.field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        # Here, since the list of all methods holds this one too.
        from rapid_ising.training.negative_phase import as_negative_phase

        if isinstance(self.phases, str) or not isinstance(self.phases, Sequence) or not self.phases:
            raise InvalidParameterError(f"phases must be a list of one or more methods, not {self.phases!r}")
        self.phases = [as_negative_phase(phase) for phase in self.phases]
        count = len(self.phases)
        shares = [1 / count] * count if self.shares is None else list(self.shares)
        if len(shares) != count:
            raise InvalidParameterError(f"{len(shares)} shares do not fit {count} phases: give one for each")
        self.shares = [finite("each of shares", share, minimum=0, exclusive=True) for share in shares]
        if not math.isclose(sum(self.shares), 1.0, rel_tol=1e-9):
            raise InvalidParameterError(f"shares must add up to 1, not {sum(self.shares):g}")

    def start(self, model: Model, data: Floats, rng: np.random.Generator) -> None:  # noqa: D102
        # Copies: what a method keeps from update to update belongs to one training.
        self._parts = [copy.copy(phase) for phase in self.phases]
        for part in self._parts:
            part.start(model, data, rng)

    def statistics(self, model: Model, chains: Floats, rng: np.random.Generator) -> Statistics:  # noqa: D102
        found = [part.statistics(model, chains, rng) for part in self._parts]
        return MixedStatistics(found, self.shares or [])

    def state(self) -> dict[str, Floats]:  # noqa: D102
        return {
            f"{place}/{name}": array
            for place, part in enumerate(self._parts)
            for name, array in part.state().items()
        }

    def restore(self, state: dict[str, Floats]) -> None:  # noqa: D102
        groups: list[dict[str, Floats]] = [{} for _ in self._parts]
        for key, array in state.items():
            place, _, name = key.partition("/")
            groups[int(place)][name] = array
        for part, group in zip(self._parts, groups, strict=True):
            part.restore(group)

    def measured(self) -> dict[str, float]:  # noqa: D102
        found: dict[str, float] = {}
        for part in self._parts:
            new = part.measured()
            # What several machines took adds up; of what else they measured the last is told.
            found |= {
                name: value + found.get(name, 0) if name in USE else value for name, value in new.items()
            }
        return found

    def origin(self) -> dict[str, Any]:  # noqa: D102
        told = [part.origin() for part in self._parts or cast("Sequence[NegativePhase]", self.phases)]
        machines = machines_of(*told)
        rest = {name: value for origin in told for name, value in origin.items() if name != "machines"}
        return rest | ({"machines": machines} if machines else {})
