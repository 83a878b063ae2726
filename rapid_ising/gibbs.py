"""Gibbs sampling: each spin drawn from its law given the others, block by block or spin by spin.

In dimod's sign a spin in the local field f has P(s = +1) = 1 / (1 + exp(2 beta f)).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rapid_ising.array_sweeps import drawn
from rapid_ising.arrays import Numbers, Place, is_numpy
from rapid_ising.couplings import Dense, Patterns, Sparse
from rapid_ising.deadline import Deadline
from rapid_ising.errors import InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.layer_fields import LayerFields, Span, block_sweeps, tiles
from rapid_ising.threads import over_pieces
from rapid_ising.typing import Floats, Indices, Reals, States

DRAW = 16
"""About how many multiplications of a matrix product a draw takes as long as."""


def sample_spins(fields: Floats, beta: float | Reals, rng: np.random.Generator) -> Floats:
    r"""Draw independent spins in their fields.

    .. math:: P(s = +1) = \frac{1}{1 + e^{2 \beta f}} = \frac{1 + \tanh(-\beta f)}{2}

    Parameters
    ----------
    fields
        The local fields f in dimod's sign, any shape, float32 or float64.
    beta
        The inverse temperature, or one a row, shape ``fields.shape[:-1]``; at infinity the spins go against
        their fields and ties are drawn evenly.
    rng
        Gives the key of the call's random numbers.

    Returns
    -------
    Floats
        Spins -1 and +1 in the shape and type of ``fields``.

    Examples
    --------
    >>> sample_spins(np.array([[-5.0, 5.0]]), float("inf"), np.random.default_rng(0))
    array([[ 1., -1.]])
    """
    if not is_numpy(fields):
        return drawn(fields, beta, Numbers(Place.of(fields), rng))
    # Here, since numba is half of the time that an import of the library would take.
    from rapid_ising.kernels.spin_draws import draw_spins
    from rapid_ising.kernels.streams import new_key

    spins = np.array(fields, order="C")
    width = spins.shape[-1] if spins.ndim else 1
    rows = spins.reshape(-1, width) if spins.size else spins.reshape(0, width)
    key, biases = new_key(rng), np.zeros(width, spins.dtype)
    betas = np.ascontiguousarray(np.broadcast_to(beta, spins.shape[:-1])).reshape(-1).astype(np.float64)

    def work(piece: tuple[int, tuple[Span, Span]]) -> None:
        draw_spins(rows, biases, 1.0, betas, key, piece[0], *piece[1])

    over_pieces(work, list(enumerate(tiles(len(rows), width, DRAW * width))))
    return spins


def gibbs_sweeps(
    model: IsingModel,
    states: npt.ArrayLike,
    sweeps: int,
    beta: float | Reals,
    rng: np.random.Generator,
    deadline: Deadline | None = None,
    free: npt.ArrayLike | None = None,
) -> States:
    """Return the states after ``sweeps`` sweeps, each row a chain of its own.

    A model of two layers is updated layer by layer, the second one first; any other spin by spin, in order.

    Parameters
    ----------
    model
        The Ising model.
    states
        The states to start from, shape (chains, N). A 0 is a spin that is not known yet: it adds to no field
        until it is drawn.
    sweeps
        How often every free spin is drawn.
    beta
        The inverse temperature, or one a chain, shape (chains,); infinity lets each spin relax against its
        field.
    rng
        Where the random numbers come from.
    deadline
        Checked after each sweep of a layered model, and about each tenth of a second of another.
    free
        The indices of the spins that are drawn; each of the others stays as it is in its row. Left out, all
        are drawn.

    Raises
    ------
    InvalidParameterError
        If ``free`` names a spin that the model has not.

    Examples
    --------
    >>> ferromagnet = IsingModel([0.1, 0.0], [[0, -9], [-9, 0]])
    >>> gibbs_sweeps(ferromagnet, [[1, -1]], 3, float("inf"), np.random.default_rng(0))
    array([[-1, -1]], dtype=int8)
    """
    limit = deadline or Deadline(None)
    start = np.array(states, dtype=np.int8, ndmin=2)
    chosen = np.arange(model.num_variables) if free is None else _chosen_spins(free, model.num_variables)
    layers = model.couplings.layers
    if layers is not None and len(layers) == 2:
        return _block_sweeps(model, start, sweeps, beta, rng, limit, chosen) if sweeps else start
    if np.ndim(beta):
        for value in np.unique(beta):
            here = np.asarray(beta) == value
            start[here] = _single_spin_sweeps(model, start[here], sweeps, float(value), rng, limit, chosen)
        return start
    return _single_spin_sweeps(model, start, sweeps, float(beta), rng, limit, chosen)


def gibbs_chains(
    model: IsingModel,
    states: npt.ArrayLike,
    sweeps: Sequence[int],
    beta: float,
    rng: np.random.Generator,
    deadline: Deadline | None = None,
) -> tuple[States, str]:
    """Return the states after each of several runs of sweeps, one after the other, and how spins were drawn.

    A model whose graph turns out to be bipartite is updated by layers; one of sparse couplings along its
    edges, which is less work than a block that is mostly zeros; any other spin by spin.

    Parameters
    ----------
    model
        The Ising model.
    states
        The states to start from, shape (chains, N).
    sweeps
        The sweeps of each run.
    beta, rng, deadline
        As in ``gibbs_sweeps``.

    Returns
    -------
    tuple
        The states, shape (runs * chains, N), one run after the other, and "by layers" or "spin by spin".

    Examples
    --------
    >>> ring = IsingModel(np.zeros(4), -np.roll(np.eye(4), 1, 0) - np.roll(np.eye(4), -1, 0))
    >>> gibbs_chains(ring, [[1, 1, 1, 1]], [1, 2], 9.0, np.random.default_rng(0))
    (array([[1, 1, 1, 1],
           [1, 1, 1, 1]], dtype=int8), 'by layers')
    """
    split = None if isinstance(model.couplings, Sparse) else model.bipartition()
    ordered, order = split or (model, np.arange(model.num_variables))
    chains = np.array(states, dtype=np.int8, ndmin=2)[:, order]
    runs: list[States] = []
    for count in sweeps:
        chains = gibbs_sweeps(ordered, chains, count, beta, rng, deadline)
        runs.append(chains)
    found = np.empty((len(chains) * len(runs), model.num_variables), np.int8)
    found[:, order] = np.concatenate(runs)
    return found, "spin by spin" if split is None else "by layers"


def _chosen_spins(free: npt.ArrayLike, spins: int) -> Indices:
    indices = np.asarray(free)
    if not indices.size:
        return np.zeros(0, np.intp)
    if indices.dtype.kind not in "iu" or indices.ndim != 1 or indices.min() < 0 or indices.max() >= spins:
        raise InvalidParameterError(f"free must be a row of indices of spins, each from 0 to {spins - 1}")
    return indices.astype(np.intp)


def layer_fields(model: IsingModel) -> tuple[LayerFields, LayerFields]:
    """Return the fields on the second layer of a model of two layers, and those on the first."""
    couplings = model.couplings
    assert couplings.layers is not None
    fields = model.fields.astype(model.dtype)
    low, high = fields[: couplings.layers[0]], fields[couplings.layers[0] :]
    if isinstance(couplings, Patterns):
        first, second = np.split(couplings.patterns.astype(model.dtype), [len(low)], axis=1)
        gain = float(couplings.scale)
        return LayerFields((first.T, second), gain, high), LayerFields((second.T, first), gain, low)
    block = couplings.submatrix(np.arange(len(low)), np.arange(len(low), len(fields))).astype(model.dtype)
    return LayerFields((block,), 1.0, high), LayerFields((block.T,), 1.0, low)


def _block_sweeps(
    model: IsingModel,
    states: States,
    sweeps: int,
    beta: float | Reals,
    rng: np.random.Generator,
    limit: Deadline,
    free: Indices,
) -> States:
    assert model.couplings.layers is not None
    cut = model.couplings.layers[0]
    up, down = layer_fields(model)
    held = np.ones(model.num_variables, dtype=bool)
    held[free] = False
    first, second = states[:, :cut].astype(model.dtype), states[:, cut:].astype(model.dtype)
    first, second = block_sweeps(
        up,
        down,
        first,
        np.broadcast_to(beta, (sweeps, *np.shape(beta))),
        rng,
        held[:cut] if held[:cut].any() else None,
        second,
        held[cut:] if held[cut:].any() else None,
        lambda: limit.check("Gibbs sampling"),
    )
    return np.hstack([first, second]).astype(np.int8)


def _single_spin_sweeps(
    model: IsingModel,
    states: States,
    sweeps: int,
    beta: float,
    rng: np.random.Generator,
    limit: Deadline,
    free: Indices,
) -> States:
    # Here, since numba is half of the time that an import of the library would take.
    from rapid_ising.kernels.single_spin import sweep_dense, sweep_patterns, sweep_sparse

    couplings = model.couplings
    fields = model.fields.astype(model.dtype)
    states = np.ascontiguousarray(states)
    chains, n = states.shape
    # A call of the kernel is about a tenth of a second, so that a deadline is looked at in between.
    step = max(1, min(10, 10**9 // max(1, chains * n * n)))
    matrix = None
    if isinstance(couplings, Dense):
        matrix = couplings.matrix
    elif not isinstance(couplings, Sparse) and not (isinstance(couplings, Patterns) and not couplings.layers):
        matrix = couplings.to_dense()
    for done in range(0, sweeps, step):
        count = min(step, sweeps - done)
        if matrix is not None:
            sweep_dense(states, fields, matrix, free, beta, count, rng)
        elif isinstance(couplings, Sparse):
            edges = couplings.matrix
            sweep_sparse(states, fields, edges.indptr, edges.indices, edges.data, free, beta, count, rng)
        elif isinstance(couplings, Patterns):
            scale = float(couplings.scale)
            sweep_patterns(states, fields, couplings.patterns, scale, free, beta, count, rng)
        limit.check("Gibbs sampling")
    return states
