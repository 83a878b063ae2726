"""Gibbs sampling: each spin drawn from its law given the others, block by block or spin by spin.

In dimod's sign a spin in the local field f has P(s = +1) = 1 / (1 + exp(2 beta f)).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rapid_ising.array_sweeps import drawn
from rapid_ising.arrays import Numbers, Place, is_numpy
from rapid_ising.couplings import Bipartite, Patterns, Sparse
from rapid_ising.deadline import Deadline
from rapid_ising.errors import InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.layer_fields import LayerFields, Span, block_sweeps, tiles
from rapid_ising.spin_sweeps import spin_sweeps
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
    betas = np.broadcast_to(np.atleast_1d(beta), (sweeps, np.size(beta)))
    return scheduled_sweeps(model, start, betas, rng, limit, chosen)


def scheduled_sweeps(
    model: IsingModel,
    states: States,
    betas: Reals,
    rng: np.random.Generator,
    deadline: Deadline,
    free: Indices | None = None,
) -> States:
    """Return the states after a sweep for each row of ``betas``, shape (sweeps, 1) or (sweeps, chains)."""
    layers = model.couplings.layers
    if layers is None or len(layers) != 2:
        return spin_sweeps(model, states, betas, rng, deadline, free)
    return _block_sweeps(model, states, betas, rng, deadline, free) if len(betas) else states


def tempered_sweep(
    model: IsingModel,
    states: States,
    betas: Reals,
    rng: np.random.Generator,
    deadline: Deadline | None = None,
) -> tuple[States, Reals]:
    """Return the states after one sweep, each chain at its inverse temperature, and their energies.

    The energies of two layers come from the fields that the first one was drawn in, at no product more.

    Examples
    --------
    >>> ferromagnet, rng = IsingModel([0.1, 0.0], [[0, -9], [-9, 0]]), np.random.default_rng(0)
    >>> tempered_sweep(ferromagnet, np.array([[1, -1]], np.int8), np.array([np.inf]), rng)
    (array([[-1, -1]], dtype=int8), array([-9.1]))
    """
    layers = model.couplings.layers
    if layers is None or len(layers) != 2:
        found = gibbs_sweeps(model, states, 1, betas, rng, deadline)
        return found, model.energies(found)
    energies = np.empty(len(states))
    limit = deadline or Deadline(None)
    found = _block_sweeps(model, states, betas[np.newaxis], rng, limit, energies=energies)
    energies += model.offset
    return found, energies


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
    if isinstance(couplings, Bipartite):
        block = couplings.block
    else:
        block = couplings.submatrix(np.arange(len(low)), np.arange(len(low), len(fields)))
    block = block.astype(model.dtype, copy=False)
    return LayerFields((block,), 1.0, high), LayerFields((block.T,), 1.0, low)


def _block_sweeps(
    model: IsingModel,
    states: States,
    betas: Reals,
    rng: np.random.Generator,
    limit: Deadline,
    free: Indices | None = None,
    energies: Reals | None = None,
) -> States:
    assert model.couplings.layers is not None
    cut = model.couplings.layers[0]
    up, down = layer_fields(model)
    held = np.ones(model.num_variables, dtype=bool)
    held[slice(None) if free is None else free] = False
    first, second = states[:, :cut].astype(model.dtype), states[:, cut:].astype(model.dtype)
    first, second = block_sweeps(
        up,
        down,
        first,
        betas,
        rng,
        held[:cut] if held[:cut].any() else None,
        second,
        held[cut:] if held[cut:].any() else None,
        lambda: limit.check("Gibbs sampling"),
        energies,
    )
    return np.hstack([first, second]).astype(np.int8)
