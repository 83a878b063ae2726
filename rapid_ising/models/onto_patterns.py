"""Averages over states and the means of their hidden spins, projected onto the patterns that couple them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rapid_ising.layer_fields import product, tiles
from rapid_ising.threads import over_pieces
from rapid_ising.typing import Floats


def onto_patterns(
    visible: Floats, hidden: Floats, factor: float, states: Floats, shares: Floats | float
) -> tuple[Floats, Floats]:
    r"""Return averages over states, projected onto the hidden halves of the patterns and onto the visible.

    .. math:: X_{ki} = \sum_{na} \xi^k_a t_{na} w_n v_{ni}, \quad
              Y_{ka} = \sum_{ni} \xi^k_i v_{ni} w_n t_{na}, \quad
              t_{na} = \tanh\Big(g \sum_{ki} \xi^k_a \xi^k_i v_{ni}\Big)

    That is five products a state, 2 K (2 V + 3 H) operations: the sums over the visible spins serve the
    fields and Y alike. The means t are made and used in tiles of the hidden layer, which stay in the cache.

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
    sums = product(states, visible.T)
    kind = sums.dtype.type
    driving, shared = sums * kind(factor), sums * kind(shares)
    pieces = tiles(len(states), hidden.shape[1], 3 * hidden.size)
    found: list[tuple[Floats, Floats]] = [(sums, hidden)] * len(pieces)

    def work(place: int) -> None:
        rows, columns = (slice(*span) for span in pieces[place])
        part = hidden[:, columns]
        means = driving[rows] @ part
        np.tanh(means, out=means)
        found[place] = means @ part.T, shared[rows].T @ means

    over_pieces(work, range(len(pieces)))
    onto_hidden, onto_visible = zip(*found, strict=True)
    if pieces[0][1] == (0, hidden.shape[1]):
        back, across = np.concatenate(onto_hidden), total(onto_visible)
    else:
        back, across = total(onto_hidden), np.concatenate(onto_visible, axis=1)
    back *= kind(shares)
    return product(back.T, states), across


def total(parts: Iterable[Floats]) -> Floats:
    """Return the sum in the order of the parts, whichever thread was first; in place of the first."""
    first, *others = parts
    for part in others:
        first += part
    return first
