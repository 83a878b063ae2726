"""Single-spin Gibbs sweeps of many chains, compiled, for dense, sparse and pattern couplings.

All three draw the spins ``free`` of a chain in order, one uniform number u in [0, 1) a spin, and set

    s_i = +1 if u (1 + exp(2 beta f_i)) < 1, else -1,

with f_i the local field in dimod's sign; at beta = infinity, -sign(f_i), and on a tie +1 if u < 1/2.
The other spins stay. A 0 is a spin that is not known yet: it adds to no field until it is drawn. They take
the numbers from the caller's Generator in the order of chain, sweep, spin, as ``sweep_twin`` does, and change
``states`` in place.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled

Reals = npt.NDArray[np.floating[Any]]
States = npt.NDArray[np.int8]
Indices = npt.NDArray[np.intp]


def sweep_twin(
    states: States,
    fields: Reals,
    couplings: Reals,
    free: Indices,
    beta: float,
    sweeps: int,
    rng: np.random.Generator,
) -> None:
    """Sweep in plain NumPy; the specification of the kernels below."""
    for chain in states:
        for _ in range(sweeps):
            for i, u in zip(free, rng.random(len(free)), strict=True):
                field = fields[i] + couplings[i] @ chain
                if math.isinf(beta):
                    chain[i] = (1 if u < 0.5 else -1) if field == 0 else -np.sign(field)
                else:
                    chain[i] = 1 if u < 1 / (1 + np.exp(2 * beta * field)) else -1


@numba.njit(inline="always")
def _draw(field: float, beta: float, u: float) -> int:  # pragma: no cover - compiled
    if beta == np.inf:
        if field == 0.0:
            return 1 if u < 0.5 else -1
        return -1 if field > 0.0 else 1
    return 1 if u * (1.0 + math.exp(min(2.0 * beta * field, 700.0))) < 1.0 else -1


@compiled()
def sweep_dense(
    states: States,
    fields: Reals,
    couplings: Reals,
    free: Indices,
    beta: float,
    sweeps: int,
    rng: np.random.Generator,
) -> None:  # pragma: no cover - compiled
    """Sweep with a symmetric matrix of couplings; the local fields are kept up to date."""
    n = len(fields)
    local = np.empty(n, couplings.dtype)
    for chain in range(len(states)):
        local[:] = fields
        for j in range(n):
            for i in range(n):
                local[i] += couplings[j, i] * states[chain, j]
        for _ in range(sweeps):
            for i in free:
                new = _draw(local[i], beta, rng.random())
                if new != states[chain, i]:
                    step = couplings.dtype.type(new - states[chain, i])
                    states[chain, i] = new
                    for j in range(n):
                        local[j] += step * couplings[i, j]


@compiled()
def sweep_sparse(
    states: States,
    fields: Reals,
    starts: npt.NDArray[Any],
    neighbours: npt.NDArray[Any],
    values: Reals,
    free: Indices,
    beta: float,
    sweeps: int,
    rng: np.random.Generator,
) -> None:  # pragma: no cover - compiled
    """Sweep with couplings in compressed rows: a spin's field is summed over its neighbours."""
    for chain in range(len(states)):
        for _ in range(sweeps):
            for i in free:
                field = fields[i]
                for k in range(starts[i], starts[i + 1]):
                    field += values[k] * states[chain, neighbours[k]]
                states[chain, i] = _draw(field, beta, rng.random())


@compiled()
def sweep_patterns(
    states: States,
    fields: Reals,
    patterns: Reals,
    scale: float,
    free: Indices,
    beta: float,
    sweeps: int,
    rng: np.random.Generator,
) -> None:  # pragma: no cover - compiled
    """Sweep with couplings from patterns: the K overlaps are kept up to date, K work a spin."""
    k, n = patterns.shape
    own = np.zeros(n, patterns.dtype)
    by_spin = np.ascontiguousarray(patterns.T)
    for i in range(n):
        for m in range(k):
            own[i] += by_spin[i, m] * by_spin[i, m]
    overlaps = np.empty(k, patterns.dtype)
    for chain in range(len(states)):
        overlaps[:] = 0
        for i in range(n):
            for m in range(k):
                overlaps[m] += by_spin[i, m] * states[chain, i]
        for _ in range(sweeps):
            for i in free:
                field = 0.0
                for m in range(k):
                    field += by_spin[i, m] * overlaps[m]
                field = fields[i] + scale * (field - own[i] * states[chain, i])
                new = _draw(field, beta, rng.random())
                if new != states[chain, i]:
                    step = new - states[chain, i]
                    states[chain, i] = new
                    for m in range(k):
                        overlaps[m] += step * by_spin[i, m]
