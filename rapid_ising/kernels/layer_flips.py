"""Sweeps of two layers that follow the flips, compiled.

Spins of a layer are independent given the other one, so 64 of them are drawn at once; the rows of those that
flipped are added to the fields of the other layer. Where few spins flip, as in the cold, that is less work
than the matrix products of a sweep.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rapid_ising.kernels.compile import compiled
from rapid_ising.kernels.single_spin import BLOCK, Numbers, Reals, States, add_rows, copy_columns
from rapid_ising.kernels.streams import fill
from rapid_ising.kernels.thresholds import COLDEST, thresholds
from rapid_ising.kernels.vectors import below, lowest


@compiled(nogil=True, fastmath={"contract"}, error_model="numpy")
def _draw_layer(
    spins: Any, local: Any, other: Any, rows: Any, betas: Any, metropolis: bool, streams: Any
) -> None:  # pragma: no cover - compiled
    """Draw the spins of one layer in their fields, and bring the fields of the other one up to date."""
    count, width = rows.shape
    real = rows.dtype
    which, steps = np.empty(BLOCK, np.intp), np.empty(BLOCK, real)
    numbers, limits, nought = np.empty(BLOCK, np.uint32), np.empty(BLOCK, real), np.zeros(BLOCK, np.int8)
    # BLOCK, which the compiler is not to know: it would unroll the loop that it should make vectors of.
    size = local.shape[1] - (count - 1) // BLOCK * BLOCK
    for start in range(0, count, BLOCK):
        part = rows[start : start + BLOCK]
        ahead = np.uint64(2**64 - 1) >> np.uint64(BLOCK - len(part))
        for c in range(len(spins)):
            fill(streams[c], numbers)
            thresholds(numbers, np.float32(max(0.5 / betas[c], COLDEST)), metropolis, limits)
            if metropolis:
                for i in range(size):
                    limits[i] *= -spins[c, start + i]
            up = below(nought, 0, spins[c], start)
            unknown = ~(up | below(spins[c], start, nought, 0))
            wanted = below(local[c], start, limits, 0)
            todo = ((wanted ^ up) | unknown) & ahead
            flips = 0
            while todo != np.uint64(0):
                i = lowest(todo)
                bit = np.uint64(1) << np.uint64(i)
                new = 1 if wanted & bit else -1
                which[flips], steps[flips] = i, new - spins[c, start + i]
                spins[c, start + i] = new
                flips += 1
                todo &= ~bit
            if flips:
                add_rows(other[c, :width], part, which, steps, flips)


@compiled(nogil=True)
def sweep_layers(
    states: States,
    first: Reals,
    second: Reals,
    block: Reals,
    turned: Reals,
    betas: Reals,
    metropolis: bool,
    streams: Numbers,
) -> None:  # pragma: no cover - compiled
    """Sweep two layers, the second one first; the law is that of ``sweep_dense`` in that order of the spins.

    Parameters
    ----------
    states
        Spins, shape (chains, V + H).
    first, second
        The local fields of the layers, kept up to date; rows of a multiple of BLOCK places.
    block, turned
        The couplings of the layers, shape (V, H), and those transposed; both contiguous.
    betas, metropolis, streams
        As in ``sweep_dense``; a sweep takes the numbers of the second layer and then of the first.
    """
    cut = len(block)
    low, high = np.zeros(first.shape, np.int8), np.zeros(second.shape, np.int8)
    copy_columns(states, low, cut)
    copy_columns(states[:, cut:], high, len(turned))
    for sweep in range(len(betas)):
        _draw_layer(high, second, first, turned, betas[sweep], metropolis, streams)
        _draw_layer(low, first, second, block, betas[sweep], metropolis, streams)
    copy_columns(low, states, cut)
    copy_columns(high, states[:, cut:], len(turned))
