"""Averages over states and the means of their hidden spins, projected onto the patterns that couple them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rapid_ising.layer_fields import product, tiles
from rapid_ising.threads import over_pieces
from rapid_ising.typing import Floats

ROWS, COLUMNS = 1024, 1024
"""The means that are made at a time: few enough for the cache, many enough for the products."""
LEAST = 2000
"""Rows of a piece, each of which has sums of its own."""


def onto_patterns(
    visible: Floats, hidden: Floats, factor: float, states: Floats, shares: Floats | float
) -> tuple[Floats, Floats]:
    r"""Return averages over states, projected onto the hidden halves of the patterns and onto the visible.

    .. math:: X_{ki} = \sum_{na} \xi^k_a t_{na} w_n v_{ni}, \quad
              Y_{ka} = \sum_{ni} \xi^k_i v_{ni} w_n t_{na}, \quad
              t_{na} = \tanh\Big(g \sum_{ki} \xi^k_a \xi^k_i v_{ni}\Big)

    That is five products a state, 2 K (2 V + 3 H) operations: the sums over the visible spins serve the
    fields and Y alike. The means t are made and used in tiles, which stay in the cache; memory that is asked
    of the system at each call would take a tenth of the time.

    Parameters
    ----------
    visible, hidden
        The halves of the patterns, (K, V) and (K, H).
    factor
        The factor g of every coupling.
    states
        Visible states, shape (n, V).
    shares
        The share w of each state, shape (n, 1), or of all; those that are taken off have a negative one.

    Returns
    -------
    tuple
        X (K, V) and Y (K, H).

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> [float(x.round(4).item()) for x in onto_patterns(one, one, 1.0, -one, 0.5)]
    [0.3808, 0.3808]
    """
    sums, kind = product(states, visible.T), hidden.dtype.type
    count, width = len(states), hidden.shape[1]
    weights = np.broadcast_to(kind(shares), (count, 1))
    pieces = tiles(count, width, 3 * hidden.size, LEAST)
    by_rows = pieces[0][1] == (0, width)
    # What pieces share has a part for each of them: rows the sums across, columns those back.
    back = np.empty((1 if by_rows else len(pieces), *sums.shape), hidden.dtype)
    across = np.empty((len(pieces) if by_rows else 1, *hidden.shape), hidden.dtype)

    def work(place: int) -> None:
        down, along = pieces[place]
        own_back, own_across = back[0 if by_rows else place], across[place if by_rows else 0]
        for top in range(*down, ROWS):
            rows = slice(top, min(top + ROWS, down[1]))
            fields, shared = sums[rows] * kind(factor), sums[rows] * weights[rows]
            for left in range(*along, COLUMNS):
                columns = slice(left, min(left + COLUMNS, along[1]))
                means = fields @ hidden[:, columns]
                np.tanh(means, out=means)
                _add(means, hidden[:, columns].T, own_back[rows], first=left == along[0])
                _add(shared.T, means, own_across[:, columns], first=top == down[0])
            own_back[rows] *= weights[rows]

    over_pieces(work, range(len(pieces)))
    return product(total(back).T, states), total(across)


def _add(one: Floats, other: Floats, to: Floats, first: bool) -> None:
    """Add a product to what is there, or put it there if it is the first."""
    if first:
        np.matmul(one, other, out=to)
    else:
        to += one @ other


def total(parts: Iterable[Floats]) -> Floats:
    """Return the sum in the order of the parts, whichever thread was first; in place of the first."""
    first, *others = parts
    for part in others:
        first += part
    return first
