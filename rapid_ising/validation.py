"""Checks of arguments, each with one message that says what, which number, and what to do."""

from __future__ import annotations

import math
import numbers
import os
from typing import Any

import array_api_compat
import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import to_numpy
from rapid_ising.errors import InvalidDataError, InvalidParameterError

DIGITS = 15
"""The white of the darkest grey images, in four bits."""
REAL = (int, float, np.integer, np.floating)
SAMPLING, TRAINING, MODEL, PIXELS = 0, 1, 2, 3
"""Streams of random numbers from one seed."""
Seed = int | np.random.SeedSequence | np.random.Generator | None


def positive_integer(name: str, value: Any, *, minimum: int = 1) -> int:
    """Return ``value`` as an int of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise InvalidParameterError(f"{name} must be an integer of at least {minimum}, not {value!r}")
    return int(value)


def finite(
    name: str,
    value: Any,
    *,
    minimum: float = -math.inf,
    exclusive: bool = False,
    maximum: float = math.inf,
) -> float:
    """Return ``value`` as a finite float between ``minimum`` and ``maximum``."""
    if isinstance(value, bool) or not isinstance(value, REAL) or not math.isfinite(value):
        raise InvalidParameterError(f"{name} must be a finite number, not {value!r}")
    if value < minimum or (exclusive and value == minimum) or value > maximum:
        low = "more than" if exclusive else "at least"
        high = "" if maximum == math.inf else f" and at most {maximum:g}"
        raise InvalidParameterError(f"{name} must be {low} {minimum:g}{high}, not {value!r}")
    return float(value)


def inverse_temperature(value: Any, name: str = "beta") -> float:
    """Return ``value`` as an inverse temperature: zero or more, infinity included."""
    if isinstance(value, bool) or not isinstance(value, REAL) or not value >= 0:
        raise InvalidParameterError(
            f"{name} must be a number from 0 to infinity (infinity asks for ground states), not {value!r}"
        )
    return float(value)


def generator(seed: Seed, stream: int = SAMPLING) -> np.random.Generator:
    """Return the one generator of a call; a Generator is used as it is, and so advances.

    The same seed gives independent numbers in another ``stream``: a model, its training and the machine that
    samples it, all with seed 0, do not share their random numbers.
    """
    if isinstance(seed, np.random.Generator) or seed is None:
        return np.random.default_rng(seed)
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(positive_integer("seed", seed, minimum=0))
    if stream:
        seed = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, stream))
    return np.random.default_rng(seed)


def rectangular(name: str, values: Any) -> npt.NDArray[Any]:
    """Return ``values`` as a numeric array; ragged or non-numeric input is refused."""
    if isinstance(values, str | os.PathLike):
        raise InvalidDataError(
            f"{name} must be an array, not the text {os.fspath(values)!r}: where that is a file, "
            "numpy.load it first"
        )
    try:
        array = np.asarray(to_numpy(values))
    except ValueError as error:
        raise InvalidDataError(f"{name} is ragged: every row must have the same length ({error})") from error
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise InvalidDataError(
            f"{name} must be a rectangular array of numbers, not an array of {array.dtype}; "
            "check for rows of different lengths, None or text"
        )
    return array


def spins(name: str, values: Any, width: int | None = None) -> npt.NDArray[np.int8]:
    """Return ``values`` as a contiguous int8 array of rows of -1 and +1.

    A single state is one row. Zeros and ones are refused with a hint, since taking 0 for -1 silently
    would train on another data set.
    """
    array = rectangular(name, values)
    if array.ndim == 1:
        array = array[np.newaxis]
    if array.ndim != 2:
        raise InvalidDataError(f"{name} must have one row a state (2 dimensions), not {array.ndim}")
    if width is not None and array.shape[1] != width:
        raise InvalidDataError(f"{name} has rows of {array.shape[1]} values where {width} are needed")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise InvalidDataError(f"{name}: a value is not finite at row {row}, column {column}")
    wrong = (array != 1) & (array != -1)
    if array.dtype == bool or wrong.any():
        hint = _cure(name, array, array_api_compat.is_torch_array(values))
        row, column = np.argwhere(wrong)[0] if wrong.any() else (0, 0)
        raise InvalidDataError(
            f"{name} must hold spins, -1 or +1, not {array[row, column]!s} (row {row}, column {column}){hint}"
        )
    return np.ascontiguousarray(array, dtype=np.int8)


def _cure(name: str, array: npt.NDArray[Any], of_torch: bool) -> str:
    """Return what makes spins of bits or of grey values, where they are such.

    NumPy's functions take no tensor that has a gradient; the cure for tensors of bits lets it through.
    """
    what = name if name.isidentifier() else "x"
    if array.dtype == bool or not ((array != 0) & (array != 1)).any():
        cure = f"2.0 * {what} - 1" if of_torch else f"np.where({what}, 1, -1)"
        return f"; these look like bits, 0 and 1: pass {cure}"
    if array.min() >= 0 and not 1 < array.max() < DIGITS:
        middle = f"{array.max() / 2:.3g}"
        cure = f"{'torch' if of_torch else 'np'}.where({what} > {middle}, 1, -1)"
        return f"; these look like grey values: pass {cure}, or another threshold"
    return ""
