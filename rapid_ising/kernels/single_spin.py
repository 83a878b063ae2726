"""Single-spin Gibbs sweeps of many chains, compiled, for dense, sparse and pattern couplings.

All three draw the spins of a chain in order, each against the threshold t of ``thresholds`` at the chain's
inverse temperature in that sweep: s_i = +1 if f_i < t, else -1, with f_i the local field in dimod's sign. A 0
is a spin that is not known yet: it adds to no field until it is drawn. States and streams change in place.

Dense: a chain takes the numbers of a stream of its own, 64 for each 64 spins begun. The fields of all spins
are kept. 64 spins are drawn at a time with their own couplings at hand, and then the rows of those that
flipped are added to the fields, four at once; all chains of a call go through the same rows, so that these
are read from memory once for all of them.

Sparse and patterns: the chains of a call, at most LANES of them, lie side by side in the processor's vectors.
They share a stream, and spin i of chain c takes number LANES i + c of a sweep.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.kernels.compile import compiled
from rapid_ising.kernels.streams import LANES, fill
from rapid_ising.kernels.thresholds import COLDEST, thresholds, thresholds_twin
from rapid_ising.kernels.vectors import add_to_rows, below, lowest, sum_rows

Reals = npt.NDArray[np.floating[Any]]
States = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.uint32]

BLOCK = 64
"""Spins that are drawn at a time: as many as a word has bits."""


def sweep_twin(
    states: States, fields: Reals, couplings: Reals, betas: Reals, metropolis: bool, numbers: Numbers
) -> None:
    """Sweep in plain NumPy; the specification of the kernels below.

    ``fields`` are the spins' own, one row for all chains or one a chain, and ``numbers`` has shape (sweeps,
    chains, N).
    """
    for at, drawn in zip(betas, numbers, strict=True):
        with np.errstate(divide="ignore"):
            limits = thresholds_twin(drawn, np.maximum(0.5 / at, COLDEST)[:, np.newaxis], metropolis)
        if metropolis:
            limits *= -states
        for c, chain in enumerate(states):
            for i, limit in enumerate(limits[c]):
                field = fields[c % len(fields), i] + couplings[i] @ chain
                chain[i] = 1 if field < limit else -1


@compiled(nogil=True, fastmath={"contract", "reassoc"})
def add_rows(
    total: Any, rows: Any, which: Any, steps: Any, count: int
) -> None:  # pragma: no cover - compiled
    """Add ``count`` of the rows, ``steps`` times, to ``total``."""
    k = 0
    while k + 4 <= count:
        a, b, c, d = rows[which[k]], rows[which[k + 1]], rows[which[k + 2]], rows[which[k + 3]]
        p, q, r, s = steps[k], steps[k + 1], steps[k + 2], steps[k + 3]
        for j in range(total.size):
            total[j] += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j])
        k += 4
    while k < count:
        a, p = rows[which[k]], steps[k]
        for j in range(total.size):
            total[j] += p * a[j]
        k += 1


@compiled(nogil=True)
def copy_columns(source: Any, target: Any, count: int) -> None:  # pragma: no cover - compiled
    """Copy the first columns: a slice that is assigned takes seconds to compile."""
    for row in range(len(source)):
        for column in range(count):
            target[row, column] = source[row, column]


@compiled(nogil=True)
def dense_fields(
    states: States, fields: Reals, couplings: Reals, local: Reals
) -> None:  # pragma: no cover - compiled
    """Write fields + states couplings, the local fields; the arguments are those of ``sweep_dense``."""
    chains, n = states.shape
    width = couplings.shape[1]
    which, steps = np.empty(BLOCK, np.intp), np.empty(BLOCK, couplings.dtype)
    for c in range(chains):
        own = fields[c % len(fields)]
        for i in range(width):
            local[c, i] = own[i]
    for start in range(0, n, BLOCK):
        rows = couplings[start : start + BLOCK]
        for c in range(chains):
            for i in range(len(rows)):
                which[i], steps[i] = i, states[c, start + i]
            add_rows(local[c, :width], rows, which, steps, len(rows))


@compiled(nogil=True, fastmath={"contract"}, error_model="numpy")
def sweep_dense(
    states: States, local: Reals, couplings: Reals, betas: Reals, metropolis: bool, streams: Numbers
) -> None:  # pragma: no cover - compiled
    """Sweep with a symmetric matrix of couplings.

    Parameters
    ----------
    states
        Spins, shape (chains, N).
    local
        The local fields of the states, kept up to date; rows of a multiple of BLOCK places, as
        ``dense_fields`` makes them from the spins' own fields, one row for all chains or one a chain.
    couplings
        J, shape (N, N), float32 or float64.
    betas
        The inverse temperature of each sweep and chain, shape (sweeps, chains); infinity included.
    metropolis
        Whether spins flip by Metropolis' rule, and are not drawn; all must be known then.
    streams
        A stream a chain, shape (chains, 4, LANES).
    """
    chains, n = states.shape
    real = couplings.dtype
    spins = np.zeros(local.shape, np.int8)
    which, steps = np.empty(BLOCK, np.intp), np.empty(BLOCK, real)
    numbers, limits = np.empty(BLOCK, np.uint32), np.empty(BLOCK, real)
    near, nought = np.empty(BLOCK, real), np.zeros(BLOCK, np.int8)
    own = np.zeros(BLOCK * BLOCK, real)
    # BLOCK, which the compiler is not to know: it would unroll the loop that it should make vectors of.
    size = local.shape[1] - (n - 1) // BLOCK * BLOCK
    copy_columns(states, spins, n)
    for sweep in range(len(betas)):
        for start in range(0, n, BLOCK):
            rows = couplings[start : start + BLOCK]
            for i in range(len(rows)):
                for j in range(len(rows)):
                    own[i * BLOCK + j] = rows[i, start + j]
            # Places beyond the last spin are never drawn.
            ahead = np.uint64(2**64 - 1) >> np.uint64(BLOCK - len(rows))
            for c in range(chains):
                fill(streams[c], numbers)
                thresholds(numbers, np.float32(max(0.5 / betas[sweep, c], COLDEST)), metropolis, limits)
                if metropolis:
                    for i in range(size):
                        limits[i] *= -spins[c, start + i]
                for j in range(BLOCK):
                    near[j] = local[c, start + j]
                up = below(nought, 0, spins[c], start)
                unknown = ~(up | below(spins[c], start, nought, 0))
                wanted = below(near, 0, limits, 0)
                todo = ((wanted ^ up) | unknown) & ahead
                count = 0
                while todo != np.uint64(0):
                    i = lowest(todo)
                    bit = np.uint64(1) << np.uint64(i)
                    new = 1 if wanted & bit else -1
                    step = real.type(new - spins[c, start + i])
                    spins[c, start + i] = new
                    which[count], steps[count] = i, step
                    count += 1
                    for j in range(BLOCK):
                        near[j] += step * own[i * BLOCK + j]
                    wanted = below(near, 0, limits, 0)
                    todo = ((wanted ^ up) | unknown) & ahead & ~(bit | (bit - np.uint64(1)))
                if count:
                    add_rows(local[c, :n], rows, which, steps, count)
    copy_columns(spins, states, n)


@compiled(nogil=True)
def _side_by_side(states: States, fields: Reals, zero: Any) -> Any:  # pragma: no cover - compiled
    """Return spins and their own fields with a row of LANES chains a spin, and a scale a chain."""
    chains, n = states.shape
    spins, own = np.full((n, LANES), zero), np.full((n, LANES), zero)
    for c in range(chains):
        own_of_chain = fields[c % len(fields)]
        for i in range(n):
            spins[i, c], own[i, c] = states[c, i], own_of_chain[i]
    return spins, own, np.full(LANES, zero)


@compiled(nogil=True, fastmath={"contract"}, error_model="numpy")
def sweep_sparse(
    states: States,
    fields: Reals,
    starts: npt.NDArray[Any],
    neighbours: npt.NDArray[Any],
    values: Reals,
    betas: Reals,
    metropolis: bool,
    stream: Numbers,
) -> None:  # pragma: no cover - compiled
    """Sweep with couplings in compressed rows: a spin's field is summed over its neighbours.

    The arguments are those of ``sweep_dense``, for at most LANES chains with one stream, shape (4, LANES),
    and ``fields`` are the spins' own, one row for all chains or one a chain.
    """
    chains, n = states.shape
    real = values.dtype
    # LANES, which the compiler is not to know: it would unroll loops that it should make vectors of.
    width = stream.shape[1]
    spins, own, scales = _side_by_side(states, fields, real.type(0))
    numbers, limits = np.empty(BLOCK * LANES, np.uint32), np.empty((BLOCK, LANES), real)
    field = np.empty(width, real)
    for sweep in range(len(betas)):
        for c in range(chains):
            scales[c] = max(0.5 / betas[sweep, c], COLDEST)
        for start in range(0, n, BLOCK):
            fill(stream, numbers)
            thresholds(numbers, np.float32(1), metropolis, limits.reshape(BLOCK * LANES))
            for i in range(start, min(start + BLOCK, n)):
                first = starts[i]
                for c in range(width):
                    field[c] = own[i, c]
                sum_rows(field, spins, neighbours, first, values, first, starts[i + 1] - first)
                for c in range(width):
                    limit = limits[i - start, c] * scales[c]
                    if metropolis:
                        limit *= -spins[i, c]
                    spins[i, c] = real.type(1) if field[c] < limit else real.type(-1)
    for c in range(chains):
        for i in range(n):
            states[c, i] = spins[i, c]


@compiled(nogil=True, fastmath={"contract"}, error_model="numpy")
def sweep_patterns(
    states: States,
    fields: Reals,
    patterns: Reals,
    scale: float,
    betas: Reals,
    metropolis: bool,
    stream: Numbers,
) -> None:  # pragma: no cover - compiled
    """Sweep with couplings J_ij = scale sum_k xi_ki xi_kj: the K overlaps are kept, K work a spin.

    ``patterns`` holds xi by spin, shape (N, K); the other arguments are those of ``sweep_sparse``.
    """
    chains, n = states.shape
    count = patterns.shape[1]
    real = patterns.dtype
    width = stream.shape[1]
    spins, own, scales = _side_by_side(states, fields, real.type(0))
    numbers, limits = np.empty(BLOCK * LANES, np.uint32), np.empty((BLOCK, LANES), real)
    field, steps = np.empty(width, real), np.empty(width, real)
    gain, every = real.type(scale), np.arange(count)
    overlaps, squares = np.zeros((count, LANES), real), np.zeros(n, real)
    for i in range(n):
        for m in range(count):
            squares[i] += patterns[i, m] * patterns[i, m]
        add_to_rows(overlaps, patterns, i * count, count, spins, i)
    for sweep in range(len(betas)):
        for c in range(chains):
            scales[c] = max(0.5 / betas[sweep, c], COLDEST)
        for start in range(0, n, BLOCK):
            fill(stream, numbers)
            thresholds(numbers, np.float32(1), metropolis, limits.reshape(BLOCK * LANES))
            for i in range(start, min(start + BLOCK, n)):
                for c in range(width):
                    field[c] = -squares[i] * spins[i, c]
                sum_rows(field, overlaps, every, 0, patterns, i * count, count)
                changed = real.type(0)
                for c in range(width):
                    limit = limits[i - start, c] * scales[c]
                    if metropolis:
                        limit *= -spins[i, c]
                    new = real.type(1) if own[i, c] + gain * field[c] < limit else real.type(-1)
                    steps[c] = new - spins[i, c]
                    spins[i, c] = new
                    changed += abs(steps[c])
                if changed:
                    add_to_rows(overlaps, patterns, i * count, count, steps, 0)
    for c in range(chains):
        for i in range(n):
            states[c, i] = spins[i, c]
