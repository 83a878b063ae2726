"""What annealers share: the start of a read, its options, and the temperatures it goes through."""

from __future__ import annotations

import dataclasses
import math
from typing import Self

import numpy as np

from rapid_ising import IsingModel, LocalBackend
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite, positive_integer


@dataclasses.dataclass(frozen=True)
class Cooled(LocalBackend):
    """A machine whose reads are cooled to the asked beta and held there."""

    num_sweeps: int = 1000
    hold: float = 0.2

    def __post_init__(self) -> None:
        positive_integer("num_sweeps", self.num_sweeps)
        finite("hold", self.hold, minimum=0, maximum=1)

    def for_refresh(self, sweeps: int) -> Self:
        """Return this annealer with ``sweeps`` sweeps, all at the asked beta when the start is given."""
        return dataclasses.replace(self, num_sweeps=sweeps)

    def schedule(self, beta: float, refresh: bool) -> Reals:
        """Return the inverse temperature of each sweep, all at beta where the start is given."""
        if refresh:
            return np.full(self.num_sweeps, beta)
        return held_schedule(beta, self.num_sweeps, self.hold)


def random_states(rng: np.random.Generator, *shape: int) -> States:
    """Return states of even spins."""
    return (2 * rng.integers(2, size=shape) - 1).astype(np.int8)


def held_schedule(beta: float, num_sweeps: int, hold: float) -> Reals:
    """Return inverse temperatures that rise linearly from 0 and stay at beta for the share ``hold``."""
    held = max(1, round(hold * num_sweeps))
    rising = np.linspace(0.0, beta, num_sweeps - held, endpoint=False)
    return np.concatenate([rising, np.full(held, beta)])


def ground_state_schedule(model: IsingModel, num_sweeps: int, refresh: bool) -> Reals:
    """Return inverse temperatures from where the largest local field is weak to where small ones are frozen.

    They rise geometrically, since a search needs its sweeps spread over the scales of the fields; the last
    tenth lets each spin fall into its field. Coefficients below a millionth of the largest are residues of
    arithmetic and say nothing of the scales.
    """
    rows, columns, values = model.couplings.to_coo()
    total = np.abs(model.fields).astype(np.float64)
    np.add.at(total, rows, np.abs(values))
    np.add.at(total, columns, np.abs(values))
    sizes = np.abs(np.concatenate([model.fields, values]))
    sizes = sizes[sizes > 1e-6 * sizes.max(initial=0.0)]
    if not sizes.size:
        return np.ones(num_sweeps)
    hot = math.log(2) / (2 * total.max())
    cold = max(math.log(100) / (2 * float(np.quantile(sizes, 0.05))), 2 * hot)
    frozen = np.full(num_sweeps if refresh else max(1, num_sweeps // 10), 1e3 * cold)
    return np.concatenate([np.geomspace(hot, cold, num_sweeps - len(frozen)), frozen])
