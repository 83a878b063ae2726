"""From grey values to spins: by a threshold, or drawn with the grey value as the probability."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import UnknownNameError
from rapid_ising.typing import States
from rapid_ising.validation import PIXELS, Seed, finite, generator

Binarization: TypeAlias = Literal["threshold", "stochastic"]
"""How grey values become spins."""
BLOCK = 1024
"""The images that are in floating point at a time."""


def binarizer(
    threshold: float, binarize: Binarization, seed: Seed
) -> Callable[[npt.NDArray[Any], float], States]:
    """Return a function of grey images and their white that makes spins of them, shape (n, V).

    With g = grey / white, between 0 and 1, a pixel is +1 where g > ``threshold`` by "threshold", and with
    probability g by "stochastic", each pixel drawn once. Raises UnknownNameError for another ``binarize``,
    and InvalidParameterError for a threshold that is not between 0 and 1.

    >>> binarizer(0.3, "threshold", seed=0)(np.array([[0, 76, 77, 255]]), 255)
    array([[-1, -1,  1,  1]], dtype=int8)
    """
    if binarize not in get_args(Binarization):
        raise UnknownNameError.among("binarization", str(binarize), get_args(Binarization))
    level = finite("threshold", threshold, minimum=0, maximum=1)
    rng = generator(seed, PIXELS)

    def spins(images: npt.NDArray[Any], white: float) -> States:
        rows = images.reshape(len(images), math.prod(images.shape[1:]))
        states = np.empty(rows.shape, dtype=np.int8)
        for start in range(0, len(rows), BLOCK):
            grey = rows[start : start + BLOCK].astype(np.float64) / white
            lit = grey > (level if binarize == "threshold" else rng.random(grey.shape))
            states[start : start + BLOCK] = 2 * lit.view(np.int8) - 1
        return states

    return spins
