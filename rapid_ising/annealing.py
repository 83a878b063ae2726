"""Annealing: Gibbs sweeps whose temperature falls, by whatever suits the couplings of a model."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rapid_ising.couplings import Dense, Patterns, Sparse
from rapid_ising.deadline import Deadline
from rapid_ising.gibbs import scheduled_sweeps
from rapid_ising.ising import IsingModel
from rapid_ising.spin_sweeps import spin_sweeps
from rapid_ising.typing import Indices, Reals, States

Way = Literal["layers", "products", "sparse", "patterns", "dense"]
"""Layer by layer, following the flips or by products; spin by spin along edges, patterns, or a matrix."""

MATRIX = 2**28
"""The most entries of a matrix that is formed where patterns are given."""
PATTERNS = 0.1
"""The patterns a spin up to which sweeps through them are faster than through the matrix."""


def anneal(
    model: IsingModel,
    states: States,
    betas: Reals,
    rng: np.random.Generator,
    deadline: Deadline | None = None,
    metropolis: bool = False,
) -> tuple[States, Way]:
    """Return the states after one sweep at each inverse temperature, and how they were swept.

    A model whose graph turns out to be bipartite is updated layer by layer, unless its couplings are sparse:
    then a sweep along the edges is less work than a block that is mostly zeros.

    Parameters
    ----------
    model
        The Ising model, swept in its own floating type.
    states
        The states to start from, shape (chains, N).
    betas
        The inverse temperature of each sweep, shape (sweeps,); infinity lets spins fall into their fields.
    rng
        Where the random numbers come from.
    deadline
        Looked at about each tenth of a second.
    metropolis
        Whether spins flip by Metropolis' rule instead of being drawn, which finds low energies in fewer
        sweeps; products of layers draw them in any case.

    Raises
    ------
    DeadlineExceededError
        If no time is left.

    Examples
    --------
    >>> model = IsingModel([9.0, 0.0], [[0, -1], [-1, 0]])
    >>> anneal(model, np.int8([[1, -1]]), np.array([0.1, np.inf]), np.random.default_rng(0))
    (array([[-1, -1]], dtype=int8), 'layers')
    """
    limit = deadline or Deadline(None)
    schedule = betas[:, np.newaxis]
    ordered, order, way = _suited(model)
    if way == "products":
        found = scheduled_sweeps(ordered, states[:, order], schedule, rng, limit)
    else:
        found = spin_sweeps(ordered, states[:, order], schedule, rng, limit, metropolis=metropolis)
    back = np.empty_like(found)
    back[:, order] = found
    return back, way


def _suited(model: IsingModel) -> tuple[IsingModel, Indices, Way]:
    """Return an equal model in the structure that is swept fastest, the order of its spins, and the way."""
    couplings, everyone = model.couplings, np.arange(model.num_variables)
    if isinstance(couplings, Sparse):
        return model, everyone, "sparse"
    split = model.bipartition()
    if split is not None:
        ordered, order = split
        layers = ordered.couplings.layers
        assert layers is not None
        return ordered, order, "layers" if layers[0] * layers[1] <= MATRIX else "products"
    if isinstance(couplings, Patterns):
        k, n = couplings.patterns.shape
        if k < PATTERNS * n or n * n > MATRIX:
            return model, everyone, "patterns"
        return IsingModel(model.fields, Dense(couplings.to_dense())), everyone, "dense"
    return model, everyone, "dense"
