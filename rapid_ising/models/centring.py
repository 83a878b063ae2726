"""Gradients of a machine whose spins are counted from their means: the centred gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rapid_ising.typing import Floats


def centred_gradient(
    gradient: Mapping[str, Floats],
    offsets: Mapping[str, Floats],
    couplings: Sequence[tuple[str, str, str]],
) -> dict[str, Floats]:
    r"""Return a gradient in weights and biases as it is when spins are counted from offsets.

    With the offsets lambda of the rows and mu of the columns, E = -(h - lambda) W (v - mu) - ... has other
    biases than the same machine without offsets. A step along its gradient is, in the usual parameters,

    .. math:: G'_W = G_W - \lambda G_b^T - G_c \mu^T, \quad G'_b = G_b - G_W'^T \lambda,
              \quad G'_c = G_c - G'_W \mu

    Weights and biases then no longer pull at each other where spins have means. The law of the model stays
    what it is; only the way uphill changes. Cho, Raiko and Ilin, ICML (2011); Melchior, Fischer and Wiskott,
    J. Mach. Learn. Res. 17, 99 (2016).

    Parameters
    ----------
    gradient
        The gradient by parameter.
    offsets
        The offsets of each layer, by the name of its biases.
    couplings
        The names of each block of weights, of the biases of its rows and of those of its columns.

    Examples
    --------
    >>> flat = {"w": np.array([[1.0]]), "b": np.array([0.5]), "c": np.array([0.0])}
    >>> centred_gradient(flat, {"b": np.array([0.0]), "c": np.array([1.0])}, [("w", "c", "b")])["w"]
    array([[0.5]])
    """
    moved = dict(gradient)
    for weights, rows, columns in couplings:
        block = gradient[weights] - np.outer(offsets[rows], gradient[columns])
        block -= np.outer(gradient[rows], offsets[columns])
        moved[weights] = block
        moved[rows] = moved[rows] - block @ offsets[columns]
        moved[columns] = moved[columns] - offsets[rows] @ block
    return moved
