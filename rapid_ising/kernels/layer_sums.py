"""Sums over a layer of spins that are independent given the other one, for every state of the other.

With x_a = p_a + q_a the fields that the two halves of a state make,

    sum_a log 2 cosh(beta x_a) = beta sum_a |x_a| + log prod_a (1 + exp(-2 beta |x_a|)).

exp(2 beta x_a) is the product of two tabulated exponentials, so that an entry costs a few multiplications
and no exponential; 512 factors in (1, 2] are multiplied before one logarithm.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled

Reals = npt.NDArray[np.float64]

LARGEST = 340.0
"""The largest beta (|p| + |q|) whose exponential exp(2 beta |x|) is still finite."""


def layer_sums_twin(low: Reals, high: Reals, beta: float) -> tuple[Reals, Reals]:
    """Return the sums in plain NumPy; the specification of the kernel below."""
    sums, sizes = np.empty((len(high), len(low))), np.empty((len(high), len(low)))
    for i, row in enumerate(high):
        fields = np.abs(low + row)
        sizes[i] = fields.sum(axis=1)
        sums[i] = beta * sizes[i] + np.log1p(np.exp(-2 * beta * fields)).sum(axis=1)
    return sums, sizes


@compiled(nogil=True, fastmath={"reassoc", "contract"})
def _layer_sums(
    low: Any, high: Any, low_powers: Any, high_powers: Any, beta: float, sums: Any, sizes: Any
) -> None:  # pragma: no cover - compiled
    width = low.shape[1]
    for i in range(high.shape[0]):
        for j in range(low.shape[0]):
            total = 0.0
            logarithms = 0.0
            for start in range(0, width, 512):
                size = 0.0
                factors = 1.0
                for a in range(start, min(start + 512, width)):
                    size += abs(low[j, a] + high[i, a])
                    power = low_powers[j, a] * high_powers[i, a]
                    factors *= 1.0 + min(power, 1.0 / power)
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
    _layer_sums(low, high, np.exp(2 * beta * low), np.exp(2 * beta * high), beta, sums, sizes)
    return sums, sizes
