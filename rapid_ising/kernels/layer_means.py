"""Means of a layer of spins that are independent given the other one, over every state of the other.

A spin in the field x_a = p_a + q_a that the two halves of a state make has the mean

    tanh(-beta x_a) = 2 / (1 + exp(2 beta p_a) exp(2 beta q_a)) - 1,

so that with tabulated exponentials an entry costs one division.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.couplings import row_blocks
from rapid_ising.kernels.compile import compiled
from rapid_ising.kernels.layer_sums import LARGEST
from rapid_ising.threads import over_pieces

Reals = npt.NDArray[np.float64]

SPINS = 256
"""Spins of the layer that one thread works on at a time."""


def layer_means_twin(low: Reals, high: Reals, beta: float, probabilities: Reals) -> tuple[Reals, Reals]:
    """Return the sums in plain NumPy; the specification of the kernel below."""
    by_low, by_high = np.zeros_like(low), np.empty_like(high)
    for i, row in enumerate(high):
        weighted = np.tanh(-beta * (low + row)) * probabilities[i, :, np.newaxis]
        by_low += weighted
        by_high[i] = weighted.sum(axis=0)
    return by_low, by_high


@compiled(nogil=True, fastmath={"contract"}, error_model="numpy")
def _part(
    low_powers: Any, high_powers: Any, probability: float, by_low: Any, by_high: Any
) -> None:  # pragma: no cover - compiled
    for a in range(len(low_powers)):
        weighted = 2.0 * probability / (1.0 + low_powers[a] * high_powers[a]) - probability
        by_low[a] += weighted
        by_high[a] += weighted


@compiled(nogil=True)
def _layer_means(
    low_powers: Any,
    high_powers: Any,
    probabilities: Any,
    least: float,
    start: int,
    stop: int,
    by_low: Any,
    by_high: Any,
) -> None:  # pragma: no cover - compiled
    # Slices of rows, whose loops have no index that might be negative, become vector instructions.
    for i in range(len(high_powers)):
        for j in range(len(low_powers)):
            p = probabilities[i, j]
            if p > least:
                _part(
                    low_powers[j, start:stop],
                    high_powers[i, start:stop],
                    p,
                    by_low[j, start:stop],
                    by_high[i, start:stop],
                )


def layer_means(
    low: Reals, high: Reals, beta: float, probabilities: Reals, least: float = 0.0
) -> tuple[Reals, Reals]:
    r"""Return the means of the layer, weighted by the states and summed over one half of each.

    .. math:: L_{ja} = \sum_i p_{ij} \tanh(-\beta x_{ija}), \quad H_{ia} = \sum_j p_{ij} \tanh(-\beta x_{ija})

    Rows p of ``low`` and q of ``high`` are the fields of the half states, shapes (m, A) and (n, A), and
    ``probabilities`` (n, m) those of the states. States of at most ``least`` are left out. Fields too large
    for their exponentials go through NumPy.
    """
    if beta * (np.abs(low).max(initial=0.0) + np.abs(high).max(initial=0.0)) > LARGEST:
        return layer_means_twin(low, high, beta, probabilities)
    by_low, by_high = np.zeros_like(low), np.zeros_like(high)
    low_powers, high_powers = np.exp(2 * beta * low), np.exp(2 * beta * high)

    def work(spins: slice) -> None:
        _layer_means(low_powers, high_powers, probabilities, least, spins.start, spins.stop, by_low, by_high)

    over_pieces(work, list(row_blocks(low.shape[1], SPINS)))
    return by_low, by_high
