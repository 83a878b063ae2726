"""Single-spin moves of walkers that make their histogram of energies flat, compiled, for dense couplings.

Bins count down from an energy ``top``: bin 0 holds every E >= top, bin k >= 1 holds

    top - k width <= E < top - (k - 1) width.

A move proposes to flip one spin, chosen evenly, and takes it with probability min(1, g(E) / g(E')); then
log g of the bin where the walker is grows by ``factor``. A bin that no walker has been to has log g = -inf
and takes the value of the bin that it is first reached from. All walkers share one log g and move in turn.
States, log g, the visits of each walker and the sums of its energies change in place.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled

Reals = npt.NDArray[np.float64]
States = npt.NDArray[np.int8]
Counts = npt.NDArray[np.int64]


def flat_sweeps_twin(
    states: States,
    fields: Reals,
    couplings: Reals,
    top: float,
    width: float,
    log_density: Reals,
    factor: float,
    sweeps: int,
    rng: np.random.Generator,
    visits: Counts,
    sums: Reals,
) -> None:
    """Move in plain NumPy; the specification of the kernel below. Energies are without an offset."""

    def place(energy: float) -> int:
        return min(max(math.ceil((top - energy) / width), 0), len(log_density) - 1)

    def energy_of(state: States) -> float:
        return float(fields @ state + 0.5 * (couplings @ state) @ state)

    for state in states:
        k = place(energy_of(state))
        if log_density[k] == -np.inf:
            above = log_density[:k][log_density[:k] > -np.inf]
            log_density[k] = above[-1] if len(above) else 0.0
    for _ in range(sweeps):
        for walker, state in enumerate(states):
            for _ in range(len(fields)):
                i, u = int(rng.random() * len(fields)), rng.random()
                energy = energy_of(state)
                flipped = energy - 2 * state[i] * (fields[i] + couplings[i] @ state)
                k, new = place(energy), place(flipped)
                if log_density[new] == -np.inf:
                    log_density[new] = log_density[k]
                if u < np.exp(min(log_density[k] - log_density[new], 0.0)):
                    state[i] = -state[i]
                    energy, k = flipped, new
                log_density[k] += factor
                visits[walker, k] += 1
                sums[k] += energy


@numba.njit(inline="always")
def _place(energy: float, top: float, width: float, last: int) -> int:  # pragma: no cover - compiled
    if energy >= top:
        return 0
    return min(math.ceil((top - energy) / width), last)


@compiled()
def flat_sweeps(
    states: States,
    fields: Reals,
    couplings: Reals,
    top: float,
    width: float,
    log_density: Reals,
    factor: float,
    sweeps: int,
    rng: np.random.Generator,
    visits: Counts,
    sums: Reals,
) -> None:  # pragma: no cover - compiled
    """Move with a symmetric matrix of couplings; local fields and energies are kept up to date."""
    walkers, n = states.shape
    last = len(log_density) - 1
    local = np.empty((walkers, n))
    energies = np.empty(walkers)
    bins = np.empty(walkers, np.int64)
    for w in range(walkers):
        local[w] = fields
        for j in range(n):
            for i in range(n):
                local[w, i] += couplings[j, i] * states[w, j]
        energy = 0.0
        for i in range(n):
            energy += 0.5 * states[w, i] * (fields[i] + local[w, i])
        k = _place(energy, top, width, last)
        energies[w], bins[w] = energy, k
        if log_density[k] == -np.inf:
            above = k
            while above > 0 and log_density[above] == -np.inf:
                above -= 1
            log_density[k] = log_density[above] if log_density[above] > -np.inf else 0.0
    for _ in range(sweeps):
        for w in range(walkers):
            energy, k = energies[w], bins[w]
            for _ in range(n):
                i = int(rng.random() * n)
                u = rng.random()
                flipped = energy - 2.0 * states[w, i] * local[w, i]
                new = _place(flipped, top, width, last)
                if log_density[new] == -np.inf:
                    log_density[new] = log_density[k]
                if u < math.exp(min(log_density[k] - log_density[new], 0.0)):
                    states[w, i] = -states[w, i]
                    energy, k = flipped, new
                    step = 2.0 * states[w, i]
                    for j in range(n):
                        local[w, j] += step * couplings[i, j]
                log_density[k] += factor
                visits[w, k] += 1
                sums[k] += energy
            energies[w], bins[w] = energy, k
