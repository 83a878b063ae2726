"""The Ising problem in binary variables, as services of QUBO machines take it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rapid_ising import IsingModel
from rapid_ising.typing import Indices, Reals


class Qubo(NamedTuple):
    r"""A problem in binary variables, x_i = (1 + s_i) / 2.

    .. math:: E(x) = c + \sum_i q_i x_i + \sum_{i<j} q_{ij} x_i x_j
    """

    linear: Reals
    """q_i, shape (N,)."""
    rows: Indices
    """i of each pair, less than its j."""
    columns: Indices
    """j of each pair."""
    values: Reals
    """q_ij of each pair."""
    constant: float
    """c."""


def qubo_of(model: IsingModel) -> Qubo:
    r"""Return the problem of the same energies in binary variables, in float64.

    .. math:: q_{ij} = 4 J_{ij}, \quad q_i = 2 h_i - 2 \sum_j J_{ij}, \quad
              c = \mathrm{offset} - \sum_i h_i + \sum_{i<j} J_{ij}

    Examples
    --------
    >>> qubo = qubo_of(IsingModel([0.5, 0.0], [[0.0, -1.0], [-1.0, 0.0]]))
    >>> qubo.linear, qubo.values, qubo.constant
    (array([3., 2.]), array([-4.]), -1.5)
    """
    rows, columns, found = model.couplings.to_coo()
    fields, values = model.fields.astype(np.float64), found.astype(np.float64)
    n = len(fields)
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    # Coefficients near the end of float64 become infinite; a machine's own limit is far below.
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.bincount(rows, values, n) + np.bincount(columns, values, n)
        constant = float(model.offset) - float(fields.sum()) + float(values.sum())
        return Qubo(2 * (fields - sums), low, high, 4 * values, constant)
