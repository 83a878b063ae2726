"""Sums over a layer of spins that are independent given the other one, for every state of the other.

With x_a = p_a + q_a the fields that the two halves of a state make,

    sum_a log 2 cosh(beta x_a) = beta sum_a |x_a| + log prod_a (1 + exp(-2 beta |x_a|)).

exp(-2 beta |x_a|), the lesser of exp(2 beta x_a) and exp(-2 beta x_a), comes from products of two tabulated
exponentials, so that an entry costs a few multiplications, no exponential and no division; 512 factors in
(1, 2] are multiplied before one logarithm.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.couplings import row_blocks
from rapid_ising.kernels.compile import compiled
from rapid_ising.threads import over_pieces

Reals = npt.NDArray[np.float64]

LARGEST = 340.0
"""The largest beta (|p| + |q|) whose exponential exp(2 beta |x|) is still finite."""
TILE = 16
"""Rows of ``low`` that stay in the cache while all of ``high`` pass by."""
PIECE = 2**21
"""About how many entries are summed by one thread at a time."""


def layer_sums_twin(low: Reals, high: Reals, beta: float) -> tuple[Reals, Reals]:
    """Return the sums in plain NumPy; the specification of the kernel below."""
    sums, sizes = np.empty((len(high), len(low))), np.empty((len(high), len(low)))
    for i, row in enumerate(high):
        fields = np.abs(low + row)
        sizes[i] = fields.sum(axis=1)
        sums[i] = beta * sizes[i] + np.log1p(np.exp(-2 * beta * fields)).sum(axis=1)
    return sums, sizes


@compiled(nogil=True, fastmath={"reassoc", "contract", "nsz", "nnan"})
def _part(
    low: Any, high: Any, low_up: Any, high_up: Any, low_down: Any, high_down: Any
) -> tuple[float, float]:  # pragma: no cover - compiled
    size = 0.0
    factors = 1.0
    for a in range(len(low)):
        size += abs(low[a] + high[a])
        factors *= 1.0 + min(low_up[a] * high_up[a], low_down[a] * high_down[a])
    return size, factors


@compiled(nogil=True)
def _layer_sums(
    low: Any,
    high: Any,
    low_up: Any,
    high_up: Any,
    low_down: Any,
    high_down: Any,
    beta: float,
    sums: Any,
    sizes: Any,
) -> None:  # pragma: no cover - compiled
    # Slices of rows, whose loops have no index that might be negative, become vector instructions.
    width = low.shape[1]
    for first in range(0, low.shape[0], TILE):
        for i in range(high.shape[0]):
            for j in range(first, min(first + TILE, low.shape[0])):
                total = 0.0
                logarithms = 0.0
                for start in range(0, width, 512):
                    stop = min(start + 512, width)
                    size, factors = _part(
                        low[j, start:stop],
                        high[i, start:stop],
                        low_up[j, start:stop],
                        high_up[i, start:stop],
                        low_down[j, start:stop],
                        high_down[i, start:stop],
                    )
                    total += size
                    logarithms += np.log(factors)
                sizes[i, j] = total
                sums[i, j] = beta * total + logarithms


def layer_sums(low: Reals, high: Reals, beta: float) -> tuple[Reals, Reals]:
    """Return sum_a log 2 cosh(beta x_a) and sum_a |x_a|, for x = p + q of each pair of half states.

    Rows p of ``low`` and q of ``high`` are the fields of the half states, shapes (m, A) and (n, A); both
    results have shape (n, m). Fields too large for their exponentials are summed in NumPy.
    """
    if beta * (np.abs(low).max(initial=0.0) + np.abs(high).max(initial=0.0)) > LARGEST:
        return layer_sums_twin(low, high, beta)
    sums, sizes = np.empty((len(high), len(low))), np.empty((len(high), len(low)))
    low_up, high_up, low_down, high_down = (
        np.exp(2 * sign * beta * fields) for sign in (1, -1) for fields in (low, high)
    )

    def work(i: slice) -> None:
        part = high[i], low_up, high_up[i], low_down, high_down[i]
        _layer_sums(low, *part, beta, sums[i], sizes[i])

    over_pieces(work, list(row_blocks(len(high), max(1, PIECE // max(1, low.size)))))
    return sums, sizes
