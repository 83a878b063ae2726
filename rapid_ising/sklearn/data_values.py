"""The two values that a caller's data hold, and the spins that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rapid_ising.errors import InvalidDataError
from rapid_ising.typing import Reals, States

PAIRS = ((0, 1), (-1, 1))
"""The values that are taken, the one that stands for the spin -1 first."""


def data_values(given: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the two values that the data hold, 0 and 1 or -1 and +1, shape (2,), in the data's own type.

    Data of nothing but ones are taken for bits; the spins are the same either way.

    Raises
    ------
    InvalidDataError
        If they hold anything else.

    Examples
    --------
    >>> data_values(np.array([[False, True]])), data_values(np.array([[-1.0, 1.0]]))
    (array([False,  True]), array([-1.,  1.]))
    """
    for low, high in PAIRS:
        if ((given == low) | (given == high)).all():
            return np.array([low, high]).astype(given.dtype)
    other = (given != 0) & (np.abs(given) != 1)
    found = "-1, 0 and 1 together"
    if other.any():
        row, column = np.argwhere(other)[0]
        found = f"{given[row, column]!s} (row {row}, column {column})"
    raise InvalidDataError(
        f"X must hold 0 and 1, or -1 and 1, not {found}: give threshold=t, by which a value above t stands "
        "for the spin +1, or put sklearn.preprocessing.Binarizer before this estimator"
    )


def as_spins(given: npt.NDArray[Any], values: npt.NDArray[Any]) -> States:
    """Return the spins, -1 for the first of the two values and +1 for the second, or raise InvalidDataError.

    >>> as_spins(np.array([[0, 1]]), np.array([0, 1]))
    array([[-1,  1]], dtype=int8)
    """
    low, high = values
    wrong = (given != low) & (given != high)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InvalidDataError(
            f"X holds {given[row, column]!s} (row {row}, column {column}) and this estimator was fitted to "
            f"{low!s} and {high!s}: give data of these values, or fit it again"
        )
    return np.where(given == high, 1, -1).astype(np.int8)


def from_spins(spins: States, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the values that spins stand for, in the values' type.

    >>> from_spins(np.array([[-1, 1]], np.int8), np.array([0.0, 1.0]))
    array([[0., 1.]])
    """
    return values[(spins > 0).astype(np.intp)]


def from_means(means: Reals, values: npt.NDArray[Any]) -> Reals:
    """Return the means of the values from those of the spins: a probability where the values are 0 and 1.

    >>> from_means(np.array([-1.0, 0.5]), np.array([0, 1]))
    array([0.  , 0.75])
    """
    low, high = values.astype(np.float64)
    scaled: Reals = low + (high - low) * (1 + means) / 2
    return scaled
