"""A twin of the Digital Annealer: parallel-trial Monte Carlo with a dynamic offset, in whole numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from rapid_ising import Capabilities, LocalBackend, Request
from rapid_ising.kernels.compile import compiled
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite, positive_integer
from rapid_ising_backends.cooling import ground_state_schedule

Whole = npt.NDArray[np.int64]
BLOCK = 10**8
"""Trials between two looks at the clock: about a second."""


@final
@dataclasses.dataclass(frozen=True)
class TwinDigitalAnnealer(LocalBackend):
    r"""What a Digital Annealer computes, here: simulated annealing in which every flip is tried at once.

    In each iteration every spin is tried: the flip of spin i, of cost dE_i = -2 s_i f_i, is accepted with
    probability

    .. math:: \min(1, e^{-(dE_i - E_\mathrm{off}) / T}),

    and one of the accepted flips, any alike, is made. While none is accepted the offset E_off grows by
    ``offset_increase_rate``, which lifts the state out of a local minimum; after a flip it is 0. The
    temperature T falls from one over the scale of the largest field to where no uphill flip is accepted.

    Each read is a run of its own, which keeps the best state that it saw. The answer is the distinct best
    states, from the lowest energy up, with the number of runs that ended in each in the record. It obeys no
    temperature: beta has no effect.

    Parameters
    ----------
    iterations
        The iterations of a run, at most one flip each.
    offset_increase_rate
        By how much the offset grows in an iteration without a flip, in units of energy; None takes the mean
        size of the coefficients.

    Notes
    -----
    Aramon et al., Frontiers in Physics 7, 48 (2019): algorithm 2; couplings of 16 bits and fields of 26. The
    second generation holds 8192 bits.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> TwinDigitalAnnealer().sample(IsingModel([9.0], [[0.0]]), num_reads=5, seed=0).record.sample
    array([[-1]], dtype=int8)
    """

    name: ClassVar[str] = "twin-digital-annealer"
    capabilities = Capabilities(
        max_variables=8192,
        coupling_range=(-(2.0**15), 2.0**15 - 1),
        field_range=(-(2.0**25), 2.0**25 - 1),
        integer_coefficients=True,
        temperature="none",
        returns="distinct",
    )

    iterations: int = 1000
    offset_increase_rate: float | None = None

    def __post_init__(self) -> None:
        positive_integer("iterations", self.iterations)
        if self.offset_increase_rate is not None:
            finite("offset_increase_rate", self.offset_increase_rate, minimum=0)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        model, rng = request.model, request.rng
        fields = model.fields.astype(np.int64)
        couplings = model.couplings.to_dense().astype(np.int16)
        temperatures = 1.0 / ground_state_schedule(model, self.iterations, refresh=False)
        rate = self._rate(request)
        found = np.empty((request.num_reads, len(fields)), np.int8)
        found[:] = 2 * rng.integers(2, size=found.shape) - 1
        block = max(1, BLOCK // len(fields))
        for best in found:
            state, offset = best.copy(), 0.0
            for first in range(0, self.iterations, block):
                request.deadline.check(self.name)
                falling = temperatures[first : first + block]
                offset = parallel_trials(state, best, fields, couplings, falling, rate, offset, rng)
        states, frequencies = np.unique(found, axis=0, return_counts=True)
        order = np.argsort(model.energies(states), kind="stable")
        return states[order], {
            "twin": True,
            "iterations": self.iterations,
            "offset_increase_rate": rate,
            "temperature_range": [float(temperatures[0]), float(temperatures[-1])],
            "frequencies": frequencies[order].tolist(),
        }

    def _rate(self, request: Request) -> float:
        if self.offset_increase_rate is not None:
            return self.offset_increase_rate
        sizes = np.abs(np.concatenate([request.model.fields, request.model.couplings.to_coo()[2]]))
        return float(sizes[sizes > 0].mean()) if sizes.any() else 1.0


def parallel_trials_twin(
    state: States,
    best: States,
    fields: Whole,
    couplings: npt.NDArray[np.int16],
    temperatures: Reals,
    rate: float,
    offset: float,
    rng: np.random.Generator,
) -> float:
    """Iterate in plain NumPy; the specification of the kernel below.

    ``state`` changes in place, and ``best`` to the best state seen, itself included; the offset is returned.
    An iteration takes one random number a spin, and one more where a flip was accepted.
    """

    def energy(spins: States) -> int:
        row = spins.astype(np.int64)
        return int(fields @ row + (couplings @ row) @ row // 2)

    for temperature in temperatures:
        costs = -2 * state * (fields + couplings @ state.astype(np.int64))
        points = rng.random(len(state))
        accepted = np.flatnonzero(points < np.exp(np.minimum(-(costs - offset) / temperature, 0.0)))
        if not len(accepted):
            offset += rate
            continue
        state[accepted[int(rng.random() * len(accepted))]] *= -1
        offset = 0.0
        if energy(state) < energy(best):
            best[:] = state
    return offset


@compiled()
def parallel_trials(
    state: States,
    best: States,
    fields: Whole,
    couplings: npt.NDArray[np.int16],
    temperatures: Reals,
    rate: float,
    offset: float,
    rng: np.random.Generator,
) -> float:  # pragma: no cover - compiled
    """Iterate with local fields and energies kept up to date."""
    n = len(fields)
    local = fields.copy()
    energy, lowest = 0, 0
    for j in range(n):
        for i in range(n):
            local[i] += couplings[j, i] * np.int64(state[j])
            if i < j:
                energy += couplings[j, i] * np.int64(state[i]) * np.int64(state[j])
                lowest += couplings[j, i] * np.int64(best[i]) * np.int64(best[j])
        energy += fields[j] * np.int64(state[j])
        lowest += fields[j] * np.int64(best[j])
    accepted = np.empty(n, np.intp)
    for temperature in temperatures:
        count = 0
        for i in range(n):
            excess = -2 * np.int64(state[i]) * local[i] - offset
            u = rng.random()
            if excess <= 0 or u < np.exp(-excess / temperature):
                accepted[count] = i
                count += 1
        if count == 0:
            offset += rate
            continue
        flip = accepted[int(rng.random() * count)]
        energy -= 2 * np.int64(state[flip]) * local[flip]
        state[flip] = -state[flip]
        step = 2 * np.int64(state[flip])
        for i in range(n):
            local[i] += step * couplings[flip, i]
        offset = 0.0
        if energy < lowest:
            lowest = energy
            best[:] = state
    return offset
