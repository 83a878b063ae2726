"""Stripes, and bars and stripes: small images with an exact and countable law."""

from __future__ import annotations

from typing import Any

import numpy as np

from rapid_ising.datasets.dataset import Dataset, held_out
from rapid_ising.enumeration import spin_states
from rapid_ising.errors import InvalidParameterError
from rapid_ising.typing import States
from rapid_ising.validation import Seed, positive_integer

MAX_SIDE = 16
"""The largest side: 2^16 stripes of 256 pixels are 16 megabytes."""
PAPER_TEST = ("1010", "1001", "0101", "0110")
"""The first rows of the 4 x 4 stripes that arXiv:1910.01592 holds out."""


def stripes(n: int = 4, test_share: float | None = None, seed: Seed = 0) -> Dataset:
    """Return the n x n images of vertical stripes: all rows equal, and not all pixels.

    Parameters
    ----------
    n
        The side, 2 to 16; there are 2^n - 2 images.
    test_share
        The share of images that is held out, drawn with ``seed``. Left out, it is 0.2, but for n = 4 the
        split of arXiv:1910.01592, where ``seed`` plays no part: the images of 1010, 1001 and their negations
        are held out, those of 1000, 1100, 1110, 1011, 1101 and theirs are to train on.
    seed
        An int or a numpy Generator.

    Raises
    ------
    InvalidParameterError
        If ``n`` or ``test_share`` is out of range.

    Examples
    --------
    >>> data = stripes(4)
    >>> data
    Dataset('stripes-4': 14 images of 4 x 4, 10 to train on, 4 held out)
    >>> data.test[0].reshape(data.shape)
    array([[-1,  1, -1,  1],
           [-1,  1, -1,  1],
           [-1,  1, -1,  1],
           [-1,  1, -1,  1]], dtype=int8)
    """
    rows = _rows(n)
    images = _vertical(rows)
    if n == 4 and test_share is None:
        words = ["".join("1" if pixel > 0 else "0" for pixel in row) for row in rows]
        test = np.isin(words, PAPER_TEST)
    else:
        test = held_out(len(images), 0.2 if test_share is None else test_share, seed)
    return Dataset(f"stripes-{n}", images, images[~test], images[test], (n, n))


def bars_and_stripes(n: int = 4, test_share: float = 0.2, seed: Seed = 0) -> Dataset:
    """Return the n x n images of vertical stripes and of horizontal bars, without the two uniform ones.

    Parameters
    ----------
    n
        The side, 2 to 16; there are 2 (2^n - 2) images: stripes, then bars.
    test_share
        The share of images that is held out, drawn at random.
    seed
        An int or a numpy Generator.

    Raises
    ------
    InvalidParameterError
        If ``n`` or ``test_share`` is out of range.

    Examples
    --------
    >>> bars_and_stripes(12)
    Dataset('bars-and-stripes-12': 8188 images of 12 x 12, 6550 to train on, 1638 held out)
    """
    vertical = _vertical(_rows(n))
    horizontal = vertical.reshape(-1, n, n).transpose(0, 2, 1).reshape(-1, n * n)
    images = np.vstack([vertical, horizontal])
    test = held_out(len(images), test_share, seed)
    return Dataset(f"bars-and-stripes-{n}", images, images[~test], images[test], (n, n))


def _rows(n: Any) -> States:
    """Return every row of n pixels that are not all equal, in the order of binary numbers."""
    side = positive_integer("n", n, minimum=2)
    if side > MAX_SIDE:
        raise InvalidParameterError(
            f"n = {side} would make about 2^{side} images of {side * side} pixels: take n up to {MAX_SIDE}"
        )
    # spin_states has the lowest bit first, a written row has it last.
    return spin_states(side, np.arange(1, 2**side - 1))[:, ::-1].astype(np.int8)


def _vertical(rows: States) -> States:
    return np.tile(rows, (1, rows.shape[1]))
