"""Gibbs sweeps spin by spin, whatever the couplings, on all threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.couplings import Dense, Patterns, Sparse
from rapid_ising.deadline import Deadline
from rapid_ising.ising import IsingModel
from rapid_ising.threads import over_pieces, threads
from rapid_ising.typing import Floats, Indices, Reals, States

LOOK = 1e8
"""About so many nanoseconds pass between two looks at the deadline."""
SHORTEST = 1e6
"""Work of fewer nanoseconds is not worth a second thread."""
FRESH = 100
"""Fields that are kept are summed anew after so many sweeps: the rounding of their steps adds up."""
Sweep = Callable[[slice, Reals, bool], None]
"""Sweeps of some chains at the inverse temperatures given, shape (sweeps, chains)."""


def spin_sweeps(
    model: IsingModel,
    states: States,
    betas: npt.ArrayLike,
    rng: np.random.Generator,
    deadline: Deadline,
    free: Indices | None = None,
    metropolis: bool = False,
) -> States:
    """Return the states after sweeps that draw the spins one after the other, in order.

    Dense, sparse and pattern couplings and those of two layers are swept as they are, others as a matrix; in
    float32 or float64, as the model is. Random numbers are those of streams that belong to chains, or to a
    fixed number of them, so that the states do not depend on the number of threads.

    Parameters
    ----------
    model
        The Ising model.
    states
        The states to start from, shape (chains, N). A 0 is a spin that is not known yet: it adds to no field
        until it is drawn.
    betas
        The inverse temperature of each sweep, shape (sweeps, 1), or of each sweep and chain, shape (sweeps,
        chains).
    rng
        Gives the key of the streams.
    deadline
        Looked at about each tenth of a second.
    free
        The indices of the spins that are drawn, in this order; the others stay as they are. Left out, all are
        drawn.
    metropolis
        Whether spins flip by Metropolis' rule instead of being drawn: it finds low energies in fewer sweeps,
        but in a fixed order some small models never mix by it.

    Raises
    ------
    DeadlineExceededError
        If no time is left.

    Examples
    --------
    >>> ferromagnet = IsingModel([0.1, 0.0], [[0, -9], [-9, 0]])
    >>> spin_sweeps(ferromagnet, np.int8([[1, -1]]), [[np.inf]] * 3, np.random.default_rng(0), Deadline())
    array([[-1, -1]], dtype=int8)
    """
    fields = model.fields.astype(model.dtype)[np.newaxis]
    couplings, chosen = model.couplings, np.arange(model.num_variables)
    if free is not None and not np.array_equal(free, chosen):
        # Each once, where it is named first.
        chosen = free[np.sort(np.unique(free, return_index=True)[1])]
        known = states.astype(model.dtype)
        known[:, chosen] = 0
        fields = (fields + couplings.dot(known))[:, chosen]
        if couplings.layers is not None and (np.diff(chosen) < 0).any():
            # In another order the spins of a layer are not side by side.
            couplings = Dense(couplings.to_dense())
        couplings = couplings.restricted(chosen)
    drawn = np.array(states[:, chosen], order="C")
    inverse = np.asarray(betas, dtype=np.float64)
    inverse = np.broadcast_to(inverse, (len(inverse), len(states)))
    if not drawn.size or not inverse.size:
        return states.copy()
    if isinstance(couplings, Sparse | Patterns) and not couplings.layers:
        sweep, pieces, nanoseconds = _side_by_side(couplings, drawn, fields, rng)
    elif couplings.layers is not None and len(couplings.layers) == 2:
        block = couplings.submatrix(*np.split(np.arange(couplings.num_variables), couplings.layers[:1]))
        sweep, pieces, nanoseconds = _layer_by_layer(block.astype(model.dtype), drawn, fields, rng)
    else:
        matrix = couplings.matrix if isinstance(couplings, Dense) else couplings.to_dense()
        sweep, pieces, nanoseconds = _row_by_row(matrix.astype(model.dtype, copy=False), drawn, fields, rng)
    step = int(max(LOOK / nanoseconds, 1))
    for done in range(0, len(inverse), step):
        now = inverse[done : done + step]

        def work(piece: slice, now: Reals = now) -> None:
            for start in range(0, len(now), FRESH):
                sweep(piece, np.ascontiguousarray(now[start : start + FRESH, piece]), metropolis)

        if nanoseconds * len(now) < SHORTEST:
            for piece in pieces:
                work(piece)
        else:
            over_pieces(work, pieces)
        deadline.check("Gibbs sampling")
    found = states.copy()
    found[:, chosen] = drawn
    return found


def _pieces(chains: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, chains)) for start in range(0, chains, size)]


def _streams(rng: np.random.Generator, count: int) -> npt.NDArray[np.uint32]:
    from rapid_ising.kernels.streams import LANES, new_key, seed_lanes

    key, streams = new_key(rng), np.empty((count, 4, LANES), np.uint32)
    for place, stream in enumerate(streams):
        seed_lanes(stream, key, place)
    return streams


def _row_by_row(
    matrix: Floats, states: States, fields: Floats, rng: np.random.Generator
) -> tuple[Sweep, Sequence[slice], float]:
    """Return the sweep through a matrix of couplings, pieces of chains, and the nanoseconds of a sweep."""
    # Here, since numba is half of the time that an import of the library would take.
    from rapid_ising.kernels.single_spin import dense_fields, sweep_dense

    chains, n = states.shape
    couplings, local = np.ascontiguousarray(matrix), _room(chains, n, matrix.dtype)
    streams, swept = _streams(rng, chains), np.full(chains, FRESH)

    def sweep(piece: slice, betas: Reals, metropolis: bool) -> None:
        if _stale(swept, piece, len(betas)):
            dense_fields(states[piece], _of(fields, piece), couplings, local[piece])
        sweep_dense(states[piece], local[piece], couplings, betas, metropolis, streams[piece])

    return sweep, _shares(chains), chains * n * (5.0 + 0.02 * n)


def _layer_by_layer(
    block: Floats, states: States, fields: Floats, rng: np.random.Generator
) -> tuple[Sweep, Sequence[slice], float]:
    """Return the same for two layers."""
    from rapid_ising.kernels.layer_flips import sweep_layers
    from rapid_ising.kernels.single_spin import dense_fields

    chains, cut = len(states), len(block)
    couplings, turned = np.ascontiguousarray(block), np.ascontiguousarray(block.T)
    first, second = _room(chains, cut, block.dtype), _room(chains, len(turned), block.dtype)
    streams, swept = _streams(rng, chains), np.full(chains, FRESH)

    def sweep(piece: slice, betas: Reals, metropolis: bool) -> None:
        if _stale(swept, piece, len(betas)):
            own = _of(fields, piece)
            dense_fields(states[piece, cut:], own[:, :cut], turned, first[piece])
            dense_fields(states[piece, :cut], own[:, cut:], couplings, second[piece])
        layers = first[piece], second[piece], couplings, turned
        sweep_layers(states[piece], *layers, betas, metropolis, streams[piece])

    return sweep, _shares(chains), chains * (5.0 * sum(block.shape) + 0.02 * block.size)


def _of(fields: Floats, piece: slice) -> Floats:
    """Return the own fields of some chains, or those of all."""
    return fields if len(fields) == 1 else fields[piece]


def _room(chains: int, spins: int, dtype: np.dtype[Any]) -> Floats:
    from rapid_ising.kernels.single_spin import BLOCK

    room: Floats = np.zeros((chains, -(-spins // BLOCK) * BLOCK), dtype)
    return room


def _stale(swept: npt.NDArray[Any], piece: slice, sweeps: int) -> bool:
    """Return whether fields that are kept are due to be summed anew, and count the sweeps to come."""
    stale = bool(swept[piece.start] + sweeps > FRESH)
    swept[piece] = sweeps if stale else swept[piece] + sweeps
    return stale


def _shares(chains: int) -> list[slice]:
    """Return as many chains as can share the rows that are read, in a piece a thread at least."""
    return _pieces(chains, min(-(-chains // threads()), 64))


def _side_by_side(
    couplings: Sparse | Patterns, states: States, fields: Floats, rng: np.random.Generator
) -> tuple[Sweep, Sequence[slice], float]:
    """Return the same for sparse and pattern couplings, whose chains share a stream LANES at a time."""
    from rapid_ising.kernels.single_spin import sweep_patterns, sweep_sparse
    from rapid_ising.kernels.streams import LANES

    chains, n = states.shape
    pieces = _pieces(chains, LANES)
    streams = _streams(rng, len(pieces))
    common: tuple[Any, ...]
    if isinstance(couplings, Sparse):
        edges, kernel = couplings.matrix, sweep_sparse
        common = edges.indptr, edges.indices, edges.data.astype(fields.dtype, copy=False)
        each = 2.0 + 0.05 * edges.nnz / n
    else:
        by_spin, kernel = couplings.patterns.T.astype(fields.dtype, order="C"), sweep_patterns
        common = by_spin, float(couplings.scale)
        each = 2.0 + 0.1 * len(couplings.patterns)

    def sweep(piece: slice, betas: Reals, metropolis: bool) -> None:
        stream = streams[piece.start // LANES]
        kernel(states[piece], _of(fields, piece), *common, betas, metropolis, stream)

    return sweep, pieces, len(pieces) * LANES * n * each
