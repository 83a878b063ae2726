"""Spins of a layer, drawn in their fields, in place of what made the fields.

With x what the other layer's states add up to, a spin is in the field f = gain x + b, in dimod's sign, and

    s = +1 if u (1 + exp(2 beta f)) < 1, else -1,

where u = (m + 1/2) / 2^23 with m the upper 23 bits of the next number of a stream. At beta = infinity s goes
against its field, and on a tie it is +1 if u < 1/2. Each row takes a whole number of the stream's lanes.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled
from rapid_ising.kernels.exponentials import LARGEST, LOG2E, power_of_two
from rapid_ising.kernels.streams import LANES, fill, seed_lanes, stream_numbers
from rapid_ising.typing import Floats

Span = tuple[int, int]
"""The first of some rows or columns, and the one after the last."""
Powers = npt.NDArray[np.float32]
CHUNK = 4096
"""Numbers that are made at a time: they stay in the nearest cache."""


def draw_twin(
    fields: Floats, biases: Floats, gain: float, betas: Floats, key: np.uint64, stream: int
) -> None:
    """Draw in plain NumPy; the specification of the kernel below, and what draws in float64."""
    rows, columns = fields.shape
    width = -(-columns // LANES) * LANES
    numbers = stream_numbers(key, stream, rows * width).reshape(rows, width)[:, :columns]
    points = ((numbers >> np.uint32(9)) + 0.5) / 2**23
    field = fields * fields.dtype.type(gain) + biases
    with np.errstate(over="ignore", invalid="ignore"):
        limit = np.log(np.finfo(np.float64).max) / 2
        odds = np.exp(np.clip(2.0 * betas[:, np.newaxis] * field, -limit, limit))
        up = points * (1 + odds) < 1
    cold = np.isinf(betas)[:, np.newaxis]
    up = np.where(cold, (field < 0) | ((field == 0) & (points < 0.5)), up)
    fields[...] = np.where(up, 1, -1)


@numba.njit(inline="always")
def _draw_warm(x: Any, biases: Any, numbers: Any, gain: Any, scale: Any) -> None:  # pragma: no cover
    for i in range(x.size):
        exponent = (gain * x[i] + biases[i]) * scale
        power = power_of_two(min(max(exponent, np.float32(-LARGEST)), np.float32(LARGEST)))
        u = np.float32(np.int32(numbers[i] >> np.uint32(9))) + np.float32(0.5)
        x[i] = np.float32(1) if u * power + u < np.float32(2**23) else np.float32(-1)


@numba.njit(inline="always")
def _draw_cold(x: Any, biases: Any, numbers: Any, gain: Any) -> None:  # pragma: no cover - compiled
    for i in range(x.size):
        field = gain * x[i] + biases[i]
        even = numbers[i] < np.uint32(2**31)
        x[i] = np.float32(1) if field < 0 or (field == 0 and even) else np.float32(-1)


@compiled(nogil=True, fastmath={"contract"})
def _draw(
    fields: Powers,
    biases: Powers,
    gain: np.float32,
    scales: Powers,
    key: np.uint64,
    stream: int,
    rows: Span,
    columns: Span,
) -> None:  # pragma: no cover - compiled
    state = np.empty((4, LANES), np.uint32)
    numbers = np.empty(CHUNK, np.uint32)
    seed_lanes(state, key, stream)
    for row in range(rows[0], rows[1]):
        for start in range(columns[0], columns[1], CHUNK):
            stop = min(start + CHUNK, columns[1])
            count = (stop - start + LANES - 1) // LANES * LANES
            fill(state, numbers[:count])
            x = fields[row, start:stop]
            if np.isinf(scales[row]):
                _draw_cold(x, biases[start:stop], numbers[:count], gain)
            else:
                _draw_warm(x, biases[start:stop], numbers[:count], gain, scales[row])


def draw_spins(
    fields: Floats,
    biases: Floats,
    gain: float,
    betas: Floats,
    key: np.uint64,
    stream: int,
    rows: Span,
    columns: Span,
) -> None:
    """Replace the entries of some rows and columns by spins, drawn from one stream.

    Parameters
    ----------
    fields
        The sums x, shape (n, A), contiguous; changed in place.
    biases
        The fields b of the spins by themselves, shape (A,), in the type of ``fields``.
    gain
        The factor of x, in dimod's sign.
    betas
        The inverse temperature of each row, shape (n,), float64; infinity included.
    key, stream
        The stream that the numbers come from.
    rows, columns
        Which entries.
    """
    if fields.dtype == np.float32:
        with np.errstate(over="ignore"):
            scales = (2 * LOG2E * betas).astype(np.float32)
        _draw(fields, biases, np.float32(gain), scales, key, stream, rows, columns)
        return
    part = fields[slice(*rows), slice(*columns)]
    draw_twin(part, biases[slice(*columns)], gain, betas[slice(*rows)], key, stream)
