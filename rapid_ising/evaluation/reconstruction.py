"""How well a model restores the pixels of an image that it is not shown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import rows as rows_of
from rapid_ising.arrays import to_numpy
from rapid_ising.datasets.dataset import image_shape
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.models.base import Model, known_pixels, starting_values
from rapid_ising.validation import Seed, generator, inverse_temperature, positive_integer, spins

BLOCK = 2**22
"""Spins of both layers that are drawn at once: 16 megabytes in float32."""


def known_rows(shape: tuple[int, int], rows: int = 1) -> npt.NDArray[np.bool_]:
    """Return the mask of images whose first rows are known.

    Parameters
    ----------
    shape
        The rows and columns of an image.
    rows
        How many rows are known, at least 1.

    Returns
    -------
    npt.NDArray
        True where a pixel is known, flattened row by row, shape (rows * columns,).

    Raises
    ------
    InvalidParameterError
        If the image has fewer rows.

    Examples
    --------
    >>> known_rows((3, 2)).astype(int)
    array([1, 1, 0, 0, 0, 0])
    """
    height, width = image_shape(shape)
    if positive_integer("rows", rows) > height:
        raise InvalidParameterError(
            f"{rows} known rows do not fit an image of {height}: ask for 1 to {height}"
        )
    return np.arange(height * width) < rows * width


def hamming_distance(
    model: Model,
    images: npt.ArrayLike,
    mask: npt.ArrayLike,
    *,
    beta: float = 1.0,
    steps: int = 1,
    unknown: npt.ArrayLike = 0.0,
    tries: int = 100,
    seed: Seed = None,
) -> float:
    r"""Return the mean fraction of wrong pixels in reconstructions.

    .. math:: d = \frac{1}{n T V} \sum_{m t i} \frac{1 - v_i^m \hat v_i^{mt}}{2}

    over n images m, T tries t and all V pixels i: 0 is perfect, 1/2 is chance. A try starts at the image with
    ``unknown`` in place of its unknown pixels and takes Gibbs steps v -> h -> v. As in the protocol of
    Fig. 1 of arXiv:1910.01592 every pixel is drawn anew, the known ones too, and every pixel is compared.

    Parameters
    ----------
    model
        The model, of V visible spins.
    images
        The true images, spins of shape (n, V).
    mask
        True where a pixel is known, shape (V,).
    beta
        The inverse temperature; at infinity each spin follows the sign of its field, ties drawn evenly.
    steps
        Gibbs steps in one try.
    unknown
        What unknown pixels start at, as in ``Model.reconstruct``.
    tries
        Reconstructions of each image.
    seed
        An int or a numpy Generator; the same seed gives the same number.

    Raises
    ------
    InvalidDataError
        If the images or the mask do not fit the model.
    InvalidParameterError
        If ``beta``, ``steps`` or ``tries`` is out of range.

    Examples
    --------
    >>> from rapid_ising.models import RBM
    >>> untrained = RBM(4, 8, weight_std=0.0)
    >>> d = hamming_distance(untrained, np.ones((1, 4)), known_rows((2, 2)), tries=10_000, seed=0)
    >>> round(d, 2)
    0.5
    """
    truth = spins("images", images, model.n_visible)
    if not len(truth):
        raise InvalidDataError("images has no rows: give at least one image")
    known = known_pixels(mask, model.n_visible)
    inverse = inverse_temperature(beta)
    count = positive_integer("steps", steps)
    total = len(truth) * positive_integer("tries", tries)
    rng = generator(seed)
    corrupted = np.where(known, truth, starting_values(unknown, model.n_visible)).astype(model.dtype)
    starts = model.place.put(corrupted)
    wrong = 0
    size = max(1, BLOCK // (model.n_visible + model.n_hidden))
    for start in range(0, total, size):
        image = np.arange(start, min(start + size, total)) % len(truth)
        chains = model.gibbs_step(model.chains_at(rows_of(starts, image)), inverse, rng, count)
        wrong += int(np.count_nonzero(to_numpy(chains)[:, : model.n_visible] != truth[image]))
    return wrong / (total * model.n_visible)
