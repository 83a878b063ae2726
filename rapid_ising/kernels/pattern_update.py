"""One update of the paper's training, for machines so small that NumPy's calls take longer than their work.

With the visible halves x of the patterns, the hidden halves y and a factor g, a state v has

    a_k = sum_i x_ki v_i,    t_j = tanh(g sum_k a_k y_kj),    c_k = sum_j t_j y_kj,

and with its share w in the averages it adds g w c_k v_i to the gradient in x_ki, and g w a_k t_j to that in
y_kj. The states are the batch, and with negative shares the signs of the visible halves.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled
from rapid_ising.kernels.exponentials import tanh

Halves = npt.NDArray[np.float32]
CHUNK = 256
"""Hidden spins at a time: they and their patterns stay in the nearest cache."""


def pattern_update_twin(
    visible: Halves, hidden: Halves, factor: float, batch: Halves, divisor: int, rates: tuple[float, float]
) -> None:
    """Update in plain NumPy; the specification of the kernel below."""
    signs = np.where(np.signbit(visible), -1.0, 1.0)
    moved = [np.zeros(half.shape) for half in (visible, hidden)]
    for states, share in ((batch, 1 / divisor), (signs, -1 / len(signs))):
        sums = states @ visible.T.astype(np.float64)
        means = np.tanh(factor * sums @ hidden)
        moved[0] += share * (means @ hidden.T).T @ states
        moved[1] += share * sums.T @ means
    for half, rate, move in zip((visible, hidden), rates, moved, strict=True):
        half += (rate * factor * move).astype(half.dtype)


@numba.njit(inline="always")
def _dot(x: Any, y: Any) -> Any:  # pragma: no cover - compiled
    total = np.float32(0)
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@numba.njit(inline="always")
def _add(total: Any, factor: Any, x: Any) -> None:  # pragma: no cover - compiled
    for i in range(x.size):
        total[i] += factor * x[i]


@compiled(nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _pattern_update(
    visible: Any, hidden: Any, factor: Any, batch: Any, divisor: int, visible_rate: Any, hidden_rate: Any
) -> None:  # pragma: no cover - compiled
    patterns, width, rows = len(visible), hidden.shape[1], len(batch)
    states = np.empty((rows + patterns, visible.shape[1]), np.float32)
    for row in range(len(states)):
        for i in range(visible.shape[1]):
            if row < rows:
                states[row, i] = batch[row, i]
            else:
                states[row, i] = np.copysign(np.float32(1), visible[row - rows, i])
    sums = np.empty((len(states), patterns), np.float32)
    back = np.zeros((len(states), patterns), np.float32)
    for row in range(len(states)):
        for k in range(patterns):
            sums[row, k] = _dot(visible[k], states[row])
    means = np.empty(CHUNK, np.float32)
    for start in range(0, width, CHUNK):
        stop = min(start + CHUNK, width)
        part = means[: stop - start]
        moved = np.zeros((patterns, stop - start), np.float32)
        for row in range(len(states)):
            share = np.float32(1 / divisor) if row < rows else np.float32(-1 / patterns)
            for j in range(part.size):
                part[j] = np.float32(0)
            for k in range(patterns):
                _add(part, factor * sums[row, k], hidden[k, start:stop])
            for j in range(part.size):
                part[j] = tanh(part[j])
            for k in range(patterns):
                back[row, k] += share * _dot(hidden[k, start:stop], part)
                _add(moved[k], share * sums[row, k], part)
        for k in range(patterns):
            _add(hidden[k, start:stop], hidden_rate * factor, moved[k])
    for row in range(len(states)):
        for k in range(patterns):
            _add(visible[k], visible_rate * factor * back[row, k], states[row])


def pattern_update(
    visible: Halves, hidden: Halves, factor: float, batch: Halves, divisor: int, rates: tuple[float, float]
) -> None:
    """Move both halves of the patterns along the gradient, the patterns' own signs for the model's samples.

    Parameters
    ----------
    visible, hidden
        The halves of the patterns, (K, V) and (K, H), float32 and contiguous; changed in place.
    factor
        The factor g of every coupling.
    batch
        Visible states of the data, shape (n, V), float32.
    divisor
        What sums over the batch are divided by.
    rates
        The learning rates of both halves.
    """
    kind = np.float32
    _pattern_update(visible, hidden, kind(factor), batch, divisor, kind(rates[0]), kind(rates[1]))
