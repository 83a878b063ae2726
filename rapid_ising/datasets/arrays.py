"""A researcher's own array as a data set."""

from __future__ import annotations

import numpy.typing as npt

from rapid_ising.datasets.dataset import Dataset, class_labels, held_out, image_shape, usual_shape
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.validation import Seed, rectangular, spins


def from_array(
    images: npt.ArrayLike,
    shape: tuple[int, int] | None = None,
    test_share: float = 0.2,
    seed: Seed = 0,
    name: str = "data",
    labels: npt.ArrayLike | None = None,
) -> Dataset:
    """Return the data set of an array of spins, split at random.

    The rows are split as they come: an image that occurs twice may be in both parts.

    Parameters
    ----------
    images
        Spins -1 and +1, shape (n, V) or (n, rows, columns).
    shape
        The rows and columns of one image. Left out, it is that of the array, or a square when V is a square
        number, else one row of V.
    test_share
        The share of images that is held out; 0 holds out none.
    seed
        An int or a numpy Generator.
    name
        What the data set is called.
    labels
        The class of each image, shape (n,), whole numbers from 0 to 255.

    Raises
    ------
    InvalidDataError
        If the array is ragged, not finite, or holds values that are not spins; or if the labels are not one
        such number an image.
    InvalidParameterError
        If ``shape`` does not fit the images or ``test_share`` leaves none to train on.

    Examples
    --------
    >>> import numpy as np
    >>> from_array(np.ones((10, 2, 3)))
    Dataset('data': 10 images of 2 x 3, 8 to train on, 2 held out)
    """
    array = rectangular("images", images)
    if array.ndim in (2, 3) and 0 in array.shape:
        missing = "pixels" if len(array) else "rows"
        raise InvalidDataError(f"images has no {missing}, its shape is {array.shape}: give at least one")
    if array.ndim not in (2, 3):
        raise InvalidDataError(
            "images must have one row an image, shape (n, pixels) or (n, rows, columns), not "
            f"{array.shape}; a single image is a list of one"
        )
    if array.ndim == 3:
        own = image_shape(array.shape[1:])
        if shape is not None and image_shape(shape) != own:
            raise InvalidParameterError(
                f"shape {shape} is not that of the images, {own[0]} x {own[1]}: leave it out"
            )
        shape = own
        array = array.reshape(len(array), own[0] * own[1])
    rows = spins("images", array)
    width = rows.shape[1]
    if shape is None:
        shape = usual_shape(width)
    classes = None if labels is None else class_labels("labels", labels, len(rows))
    test = held_out(len(rows), test_share, seed)
    parts = (None, None) if classes is None else (classes[~test], classes[test])
    return Dataset(name, rows, rows[~test], rows[test], shape, *parts)
